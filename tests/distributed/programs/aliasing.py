"""Collectives on tensors that have packed copies, lie in another order, or are still to be computed; and no copies."""

from __future__ import annotations

from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F

import torch_ipex_device as ipex

MEGABYTES = 96


def rank_scaled(*shape: int) -> torch.Tensor:
    """Small whole numbers, so that sums are exact in any order."""
    return torch.randint(-4, 5, shape, generator=torch.Generator().manual_seed(0)).float() * (dist.get_rank() + 1)


@torch.no_grad()
def broadcast_into_a_packed_weight() -> None:
    """The packed copy that inference has made is dropped; what the other rank sent is used."""
    x, weight = torch.ones(4, 256), rank_scaled(256, 256)
    ours, device_x = weight.to(ipex.DEVICE), x.to(ipex.DEVICE)
    for _ in range(3):
        F.linear(device_x, ours).sum().item()
    assert ipex.physical_form(ours).packed
    dist.broadcast(ours, src=1)
    assert not ipex.physical_form(ours).packed
    expected = F.linear(x, weight / (dist.get_rank() + 1) * 2)
    assert torch.equal(F.linear(device_x, ours).cpu(), expected)


@torch.no_grad()
def receive_into_a_weight_in_use() -> None:
    """While a receive is open nothing caches the weight, so that what arrives is seen without another write."""
    x, weight = torch.ones(4, 256, device=ipex.DEVICE), torch.zeros(256, 256, device=ipex.DEVICE)
    if dist.get_rank() == 0:
        work = dist.irecv(weight, src=1)
        for _ in range(3):
            F.linear(x, weight).sum().item()
        assert not ipex.physical_form(weight).packed
        dist.barrier()
        assert work is not None
        work.wait()
        assert F.linear(x, weight).cpu().eq(256).all()
    else:
        dist.barrier()
        dist.send(torch.ones(256, 256, device=ipex.DEVICE), dst=0)


@torch.no_grad()
def reduce_values_in_another_order() -> None:
    """A convolution's result lies channels-last and may be open; gloo sees the plain bytes that strides promise."""
    image, weight = rank_scaled(1, 16, 8, 8), torch.ones(32, 16, 3, 3)
    y = F.relu(F.conv2d(image.to(ipex.DEVICE), weight.to(ipex.DEVICE)))
    assert ipex.physical_form(y).open
    dist.all_reduce(y)
    assert ipex.physical_form(y).plain and not ipex.physical_form(y).open
    expected = F.relu(F.conv2d(image, weight))
    dist.all_reduce(expected)
    assert y.stride() == expected.stride()
    assert torch.equal(y.cpu(), expected)


@torch.no_grad()
def write_what_an_open_value_reads() -> None:
    """A result that waits for its operand is computed before a collective writes the operand."""
    image, weight = torch.ones(1, 16, 8, 8, device=ipex.DEVICE), torch.ones(32, 16, 3, 3, device=ipex.DEVICE)
    y = F.conv2d(image, weight)
    assert ipex.physical_form(y).open
    dist.all_reduce(image)
    assert y.cpu().eq(16 * 9).all() and image.cpu().eq(2).all()


def work_of_async_operations() -> None:
    """Result, future and callbacks of a work hold the ipex tensors that were given."""
    x = torch.ones(3, device=ipex.DEVICE)
    work = dist.all_reduce(x, async_op=True)
    assert work is not None
    then = work.get_future().then(lambda done: done.value()[0].mul(10))
    assert work.wait() and work.is_completed() and work.is_success()
    assert work.result()[0] is x and work.get_future().value()[0] is x
    ten_times = then.wait()
    assert ten_times.is_ipex and ten_times.tolist() == [20.0] * 3 and x.tolist() == [2.0] * 3
    parts = [torch.empty(3, device=ipex.DEVICE) for _ in range(2)]
    gathered = dist.all_gather(parts, x, async_op=True)
    assert gathered is not None and gathered.wait()
    assert all(part.tolist() == x.tolist() for part in parts)
    values = gathered.get_future().value()
    assert all(
        one is other for one, other in zip(values[0] if isinstance(values[0], list) else values, parts, strict=True)
    )


def tensors_with_gaps() -> None:
    """Gloo would write between the elements; the device says so. What gloo handles by copying works as on CPU."""
    column = torch.ones(4, 4, device=ipex.DEVICE)[:, 1]
    for name, collective in {
        "all_reduce": lambda: dist.all_reduce(column),
        "broadcast": lambda: dist.broadcast(column, src=0),
        "reduce": lambda: dist.reduce(column, dst=0),
        "scatter": lambda: dist.scatter(column, [column, column] if dist.get_rank() == 0 else None, src=0),
        "reduce_scatter": lambda: dist.reduce_scatter(column, [column.contiguous()] * 2),
        "all_to_all_single": lambda: dist.all_to_all_single(column, column.contiguous()),
    }.items():
        with pytest.raises(ValueError, match=rf"\[{name}\] E103 got a tensor of sizes \[4\] and strides \[4\]"):
            collective()
    parts = torch.zeros(2, 4, 4, device=ipex.DEVICE)
    dist.all_gather([parts[0, :, 0], parts[1, :, 0]], column)
    assert parts[:, :, 0].eq(1).all() and parts.sum().item() == 8


def failed_work_raises() -> None:
    """A receive that nobody answers fails in wait, in the future, and leaves the memory usable."""
    group = dist.new_group()
    if dist.get_rank() == 0:
        x = torch.ones(3, device=ipex.DEVICE)
        work = dist.irecv(x, src=1, group=group)
        assert work is not None
        with pytest.raises(RuntimeError, match="Timed out"):
            work.wait(timedelta(milliseconds=200))
        assert not work.is_success() or not work.is_completed()
        assert x.add(1).tolist() == [2.0] * 3


def sparse_tensors() -> None:
    """A sparse tensor is the only one that is copied; sums come back into it."""
    rank = dist.get_rank()
    x = torch.sparse_coo_tensor([[rank, 2]], [1.0, 2.0], (4,), device=ipex.DEVICE, check_invariants=True)
    dist.all_reduce(x)
    assert x.is_ipex and x.to_dense().tolist() == [1.0, 1.0, 4.0, 0.0]


def no_copies() -> None:
    """Peak memory grows by no more than for CPU tensors of the same size, and results lie where they lay."""

    def growth(device: str) -> dict[str, int]:
        x = torch.ones(MEGABYTES, 2**18, device=device)
        where = x.data_ptr()
        grown = {}
        for name, run in {
            "broadcast": lambda: dist.broadcast(x, src=0),
            "send and receive": lambda: dist.send(x, 1) if dist.get_rank() == 0 else dist.recv(x, 0),
            "all_reduce": lambda: dist.all_reduce(x),
        }.items():
            with open("/proc/self/clear_refs", "w") as file:
                file.write("5")  # the peak is the present from here on
            before = peak()
            run()
            grown[name] = peak() - before
        assert x.data_ptr() == where
        return grown

    def peak() -> int:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) // 1024 for line in file if line.startswith("VmHWM"))

    on_cpu, on_ipex = growth("cpu"), growth("ipex")
    assert all(on_ipex[name] <= on_cpu[name] + MEGABYTES // 8 for name in on_cpu), (on_cpu, on_ipex)
    assert on_ipex["broadcast"] < MEGABYTES // 2 and on_ipex["send and receive"] < MEGABYTES // 2, on_ipex
    if dist.get_rank() == 0:
        print(f"peak memory of {MEGABYTES} MB in MB: ipex {on_ipex}, cpu {on_cpu}")


dist.init_process_group()
for check in (
    broadcast_into_a_packed_weight,
    receive_into_a_weight_in_use,
    reduce_values_in_another_order,
    write_what_an_open_value_reads,
    work_of_async_operations,
    tensors_with_gaps,
    sparse_tensors,
    no_copies,
    failed_work_raises,
):
    check()
    dist.barrier()
    if dist.get_rank() == 0:
        print(check.__name__)
dist.destroy_process_group()

"""Runs every collective on CPU tensors and on ipex tensors, in every dtype, and compares results bit for bit."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import _functional_collectives as functional

import torch_ipex_device  # noqa: F401

warnings.simplefilter("ignore")
DTYPES = (
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.int8,
    torch.uint8,
    torch.int32,
    torch.int64,
    torch.bool,
    torch.complex64,
)
ROWS, COLUMNS = 4, 6


class Operands:
    """Makes equal operands on a device: values differ per rank and per call; views reach into larger storages."""

    def __init__(self, device: str, dtype: torch.dtype) -> None:
        self.device, self.dtype = device, dtype
        self.generator = torch.Generator().manual_seed(dist.get_rank())

    def __call__(self, rows: int = ROWS) -> Tensor:
        """A contiguous view of rows in the middle of a tensor."""
        base = torch.randn(rows + 3, COLUMNS, generator=self.generator).mul(4).to(self.dtype).to(self.device)
        return base[2 : rows + 2]

    def blank(self, rows: int = ROWS) -> Tensor:
        return torch.zeros(rows, COLUMNS, dtype=self.dtype, device=self.device)


def reduce_all(op: dist.ReduceOp.RedOpType) -> Callable[[Operands], list[Tensor]]:
    def run(new: Operands) -> list[Tensor]:
        x = new()
        dist.all_reduce(x, op)
        return [x]

    return run


def channels_last(new: Operands) -> list[Tensor]:
    x = torch.randn(2, 3, 4, 4, generator=new.generator).to(new.dtype).to(new.device)
    x = x.contiguous(memory_format=torch.channels_last)
    dist.all_reduce(x)
    assert x.is_contiguous(memory_format=torch.channels_last)
    return [x]


def broadcast(new: Operands) -> list[Tensor]:
    x = new()
    dist.broadcast(x, src=1)
    return [x]


def reduce(new: Operands) -> list[Tensor]:
    x = new()
    dist.reduce(x, dst=0)
    return [x] if RANK == 0 else []


def all_gather(new: Operands) -> list[Tensor]:
    parts = [new.blank() for _ in range(SIZE)]
    dist.all_gather(parts, new())
    return parts


def all_gather_into_tensor(new: Operands) -> list[Tensor]:
    whole = new.blank(SIZE * ROWS)
    dist.all_gather_into_tensor(whole, new())
    return [whole]


def all_gather_in_place(new: Operands) -> list[Tensor]:
    whole = new(SIZE * ROWS)
    dist.all_gather_into_tensor(whole, whole[RANK * ROWS : (RANK + 1) * ROWS])
    return [whole]


def all_gather_coalesced(new: Operands) -> list[Tensor]:
    parts = [[new.blank(), new.blank(2)] for _ in range(SIZE)]
    dist.all_gather_coalesced(parts, [new(), new(2)])
    return [part for pair in parts for part in pair]


def gather(new: Operands) -> list[Tensor]:
    parts = [new.blank() for _ in range(SIZE)] if RANK == 1 else None
    dist.gather(new(), parts, dst=1)
    return parts or []


def scatter(new: Operands) -> list[Tensor]:
    mine, parts = new.blank(), [new() for _ in range(SIZE)]
    dist.scatter(mine, parts if RANK == 0 else None, src=0)
    return [mine]


def reduce_scatter(new: Operands) -> list[Tensor]:
    mine = new.blank()
    dist.reduce_scatter(mine, [new() for _ in range(SIZE)])
    return [mine]


def reduce_scatter_tensor(new: Operands) -> list[Tensor]:
    mine = new.blank()
    dist.reduce_scatter_tensor(mine, new(SIZE * ROWS))
    return [mine]


def all_to_all(new: Operands) -> list[Tensor]:
    parts = [new.blank() for _ in range(SIZE)]
    dist.all_to_all(parts, [new() for _ in range(SIZE)])
    return parts


def all_to_all_single(new: Operands) -> list[Tensor]:
    received = new.blank(SIZE * ROWS)
    dist.all_to_all_single(received, new(SIZE * ROWS))
    return [received]


def all_to_all_single_uneven(new: Operands) -> list[Tensor]:
    sent = [1, 3] if RANK == 0 else [2, 2]
    taken = [1, 2] if RANK == 0 else [3, 2]
    received = new.blank(sum(taken))
    dist.all_to_all_single(received, new(sum(sent)), taken, sent)
    return [received]


def all_reduce_coalesced(new: Operands) -> list[Tensor]:
    xs = [new(), new(2)]
    dist.all_reduce_coalesced(xs)
    return xs


def point_to_point(new: Operands) -> list[Tensor]:
    sent, received = new(), new.blank()
    if RANK == 0:
        dist.send(sent, dst=1, tag=3)
        dist.recv(received, src=1)
    else:
        dist.recv(received, src=0, tag=3)
        dist.send(sent, dst=0)
    return [received]


def point_to_point_async(new: Operands) -> list[Tensor]:
    sent, received = new(), new.blank()
    works = [dist.isend(sent, dst=1 - RANK), dist.irecv(received, src=1 - RANK)]
    for work in works:
        assert work is not None and work.wait()
    return [received]


def receive_from_any(new: Operands) -> list[Tensor]:
    received = new.blank()
    if RANK == 0:
        dist.send(new(), dst=1)
        return []
    assert dist.recv(received) == 0
    return [received]


def batched_point_to_point(new: Operands) -> list[Tensor]:
    received = new.blank()
    pairs = [dist.P2POp(dist.isend, new(), 1 - RANK), dist.P2POp(dist.irecv, received, 1 - RANK)]
    for work in dist.batch_isend_irecv(pairs):
        work.wait()
    return [received]


def functional_collectives(new: Operands) -> list[Tensor]:
    group = dist.group.WORLD
    results = [
        functional.all_reduce(new(), "sum", group),
        functional.all_gather_tensor(new(), 0, group),
        functional.reduce_scatter_tensor(new(), "sum", 0, group),
        functional.all_to_all_single(new(), None, None, group),
        functional.broadcast(new(), 1, group),
    ]
    return [functional.wait_tensor(result) for result in results]


def functional_coalesced(new: Operands) -> list[Tensor]:
    group = dist.group.WORLD
    results = [
        *functional.all_reduce_coalesced([new(), new(2)], "sum", group),
        *functional.all_gather_into_tensor_coalesced([new(), new(2)], group),
        *functional.reduce_scatter_tensor_coalesced([new(), new(2)], "sum", [0, 0], group),
    ]
    return [functional.wait_tensor(result) for result in results]


COLLECTIVES: dict[str, Callable[[Operands], list[Tensor]]] = {
    **{
        f"all_reduce {op}": reduce_all(getattr(dist.ReduceOp, op))
        for op in ("SUM", "AVG", "PRODUCT", "MIN", "MAX", "BAND", "BOR", "BXOR")
    },
    **{
        run.__name__: run
        for run in (
            all_gather,
            all_gather_coalesced,
            all_gather_in_place,
            all_gather_into_tensor,
            all_reduce_coalesced,
            all_to_all,
            all_to_all_single,
            all_to_all_single_uneven,
            batched_point_to_point,
            broadcast,
            channels_last,
            functional_coalesced,
            functional_collectives,
            gather,
            point_to_point,
            point_to_point_async,
            receive_from_any,
            reduce,
            reduce_scatter,
            reduce_scatter_tensor,
            scatter,
        )
    },
}


def outcome(run: Callable[[Operands], list[Tensor]], device: str, dtype: torch.dtype) -> list[Tensor] | str:
    """Results as CPU tensors, or the error of a collective that gloo does not have for this dtype."""
    try:
        results = run(Operands(device, dtype))
    except (RuntimeError, ValueError, TypeError) as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    assert all(result.device.type == device for result in results)
    return [torch.ipex.as_cpu(result) if result.is_ipex else result for result in results]


dist.init_process_group()
RANK, SIZE = dist.get_rank(), dist.get_world_size()
equal, refused = 0, set()
for name, run in COLLECTIVES.items():
    for dtype in DTYPES:
        expected, actual = outcome(run, "cpu", dtype), outcome(run, "ipex", dtype)
        if isinstance(expected, str) or isinstance(actual, str):
            assert actual == expected, f"{name} {dtype}: {actual}, on CPU {expected}"
            refused.add(f"{name} {dtype}")
            continue
        for one, other in zip(actual, expected, strict=True):
            assert one.dtype == dtype and one.stride() == other.stride(), f"{name} {dtype}"
            assert torch.equal(one.contiguous().view(torch.uint8), other.contiguous().view(torch.uint8)), (
                f"{name} {dtype}"
            )
        equal += 1
dist.barrier()
if RANK == 0:
    print(f"{len(COLLECTIVES)} collectives, {equal} equal, {len(refused)} refused as on CPU")
    print(*sorted(refused), sep="\n")
dist.destroy_process_group()

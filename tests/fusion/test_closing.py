"""What closes an open primitive: after each of these a program sees what it would see without fusion."""

from __future__ import annotations

import copy
import ctypes
import gc
import io
import os
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import torch_ipex_device as ipex
from device.programs import run_program
from forms.test_invariants import READERS as FORM_READERS

from .nets import DEVICE, assert_close, batch_norm, convolution, exact, image, is_open, on_device


@pytest.fixture
def conv():
    return on_device(convolution())


@pytest.fixture
def x():
    return image().to(DEVICE)


def large_input() -> torch.Tensor:
    """Returns an input that is neither copied because it is small nor because it lies in another order."""
    return image(size=40).to(DEVICE, memory_format=torch.channels_last)


def plain(conv: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    """Returns what the convolution gives, in float64."""
    return exact(conv)(exact(x))


# Reads of the result

NEEDS_ITS_OWN_VALUES = ("fallback", "equal")
READERS = {name: reader for name, reader in FORM_READERS.items() if name not in NEEDS_ITS_OWN_VALUES}


@pytest.mark.parametrize("reader", READERS)
def test_every_way_of_reading(reader, conv, x):
    y = F.relu(conv(x))
    assert is_open(y)
    assert_close(READERS[reader](y), F.relu(plain(conv, x)))


def test_native_and_fallback_operators(conv, x):
    expected = plain(conv, x)
    assert_close(F.max_pool2d(conv(x), 2), F.max_pool2d(expected, 2))
    assert_close(conv(x).cumsum(1), expected.cumsum(1))
    assert_close(conv(x).sum((2, 3)), expected.sum((2, 3)))
    assert torch.equal(conv(x), conv(x))


def test_print_and_save(conv, x):
    y = conv(x)
    assert is_open(y)
    assert str(y).startswith("tensor(")
    assert not is_open(y)
    y = conv(x)
    file = io.BytesIO()
    torch.save(y, file)
    file.seek(0)
    assert_close(torch.load(file), plain(conv, x))


def test_deepcopy_of_an_open_tensor_is_independent(conv, x):
    y = conv(x)
    z = copy.deepcopy(y)
    z.relu_()
    assert_close(y, plain(conv, x))
    assert_close(z, F.relu(plain(conv, x)))


def test_data_ptr(conv, x):
    y = conv(x)
    values = (ctypes.c_float * y.numel()).from_address(y.data_ptr())
    assert not is_open(y)
    assert_close(torch.tensor(list(values)).view(y.shape), plain(conv, x))


# Views and aliases


def test_view_reads_and_writes(conv, x):
    expected = plain(conv, x)
    y = conv(x)
    part = y[:, 4:9]
    assert_close(part, expected[:, 4:9])
    y = conv(x)
    part = y[:, 4:9]
    part.zero_()
    assert_close(y, expected.index_fill(1, torch.arange(4, 9), 0))


def test_alias_sees_what_is_done_in_place(conv, x):
    y = conv(x)
    alias, detached = y.view(2, 32, -1), y.detach()
    y.relu_()
    expected = F.relu(plain(conv, x))
    assert_close(alias, expected.view(2, 32, -1))
    assert_close(detached, expected)


def test_alias_of_an_intermediate_keeps_it(conv, x):
    y = conv(x)
    alias = y.view(-1)
    z = F.relu(y)
    del y
    assert_close(z, F.relu(plain(conv, x)))
    assert_close(alias, plain(conv, x).view(-1))


# Consumers


def runs(explanation: ipex.explain) -> int:
    return sum("convolution" in row.implementations for row in explanation.rows if row.path == "native")


def test_intermediate_alive(conv, x):
    with ipex.explain() as explanation:
        y = conv(x)
        z = F.relu(y)
        values = z.cpu()
        assert_close(values, F.relu(plain(conv, x)))
        assert_close(y, plain(conv, x))
    assert runs(explanation) == 1


@pytest.mark.parametrize("first_read", [0, 1, 2])
def test_second_consumer(first_read, conv, x):
    with ipex.explain() as explanation:
        y = conv(x)
        a, b = F.relu(y), torch.sigmoid(y)
        del y
        order = [a, b, b + 0]
        order[first_read].cpu()
    expected = plain(conv, x)
    assert_close(a, F.relu(expected))
    assert_close(b, torch.sigmoid(expected))
    assert runs(explanation) == 1


def test_intermediate_read_and_dropped_before_the_end(conv, x):
    """The convolution has run for y; when y is gone, z must not run it again."""
    with ipex.explain() as explanation:
        y = conv(x)
        z = F.relu(y)
        y.sum().item()
        del y
        assert_close(z, F.relu(plain(conv, x)))
    assert runs(explanation) == 1


def test_chain_of_consumers_at_every_length(conv, x):
    norm = on_device(batch_norm())
    expected = plain(conv, x)
    steps = [expected, exact(norm)(expected)]
    steps += [F.relu(steps[1]), F.relu(steps[1]) * 2, torch.tanh(F.relu(steps[1]) * 2)]
    for kept in range(32):
        with ipex.explain() as explanation:
            values = [conv(x)]
            values += [norm(values[-1])]
            values += [F.relu(values[-1])]
            values += [values[-1] * 2]
            values += [torch.tanh(values[-1])]
            kept_ones = {i: value for i, value in enumerate(values) if kept >> i & 1}
            last = values[-1]
            del values
            assert_close(last, steps[-1])
            for i, value in kept_ones.items():
                assert_close(value, steps[i])
        assert runs(explanation) == 1


def test_residual_is_kept(conv, x):
    residual = torch.randn(2, 32, 12, 12, device=DEVICE)
    before = residual.clone()
    z = F.relu(conv(x) + residual)
    assert_close(z, F.relu(plain(conv, x) + exact(before)))
    assert torch.equal(residual, before)


def test_sum_with_itself(conv, x):
    y = conv(x)
    y += y
    assert_close(y, 2 * plain(conv, x))
    y = conv(x)
    assert_close(y * y, plain(conv, x) ** 2)
    y = conv(x)
    y.mul_(y.view(y.shape))
    assert_close(y, plain(conv, x) ** 2)


# Writes to what open values are computed of

WRITES = {
    "in place": lambda t: t.mul_(3),
    "view": lambda t: t[0].fill_(7),
    "data": lambda t: t.data.copy_(torch.ones_like(t)),
    "out": lambda t: torch.add(t, 1, out=t),
    "foreach": lambda t: torch._foreach_add_([t], 1.0),
    "fallback": lambda t: t.cumsum_(0),
    "as_cpu": lambda t: torch.ipex.as_cpu(t).fill_(2),
    "index": lambda t: t.__setitem__(0, 5.0),
    "data_ptr": lambda t: ctypes.memset(t.data_ptr(), 0, t.nbytes),
    "set_": lambda t: t.set_(torch.ones_like(t)),
    "swapped data": lambda t: setattr(t, "data", torch.ones_like(t)),
    "resize_": lambda t: t.resize_(1).fill_(3),
    "storage resize": lambda t: t.untyped_storage().resize_(0),
    "share_memory_": lambda t: t.share_memory_().fill_(1),
}


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("write", WRITES)
def test_input_written(write, large, conv):
    x = large_input() if large else image().to(DEVICE)
    expected = plain(conv, x)
    y = conv(x)
    z = F.relu(y)
    del y
    assert is_open(z)
    WRITES[write](x)
    assert_close(z, F.relu(expected))


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("write", WRITES)
def test_residual_written(write, large, conv):
    x = image(size=40).to(DEVICE) if large else image().to(DEVICE)
    residual = image(32, x.size(2)).to(DEVICE, memory_format=torch.channels_last)
    expected = plain(conv, x) + exact(residual)
    y = conv(x) + residual
    assert is_open(y)
    WRITES[write](residual)
    assert_close(y, expected)


def test_pointer_that_is_older_than_the_call(conv):
    """Nobody can see writes through it, so nothing is left open over such memory, or it is copied."""
    for x in (image().to(DEVICE), large_input()):
        pointer = x.data_ptr()
        expected = plain(conv, x)
        y = conv(x)
        ctypes.memset(pointer, 0, x.nbytes)
        assert_close(y, expected)


@pytest.mark.parametrize("name", ["weight", "bias"])
@pytest.mark.parametrize("write", [name for name in WRITES if "resize" not in name])
def test_parameter_written(name, write, conv, x):
    conv(x).cpu()
    expected = plain(conv, x)
    y = conv(x)
    assert is_open(y)
    WRITES[write](getattr(conv, name))
    assert_close(y, expected)
    if write != "data_ptr":
        assert_close(conv(x), plain(conv, x))


@pytest.mark.parametrize("name", ["weight", "bias", "running_mean", "running_var"])
def test_batch_norm_written(name, conv, x):
    norm = on_device(batch_norm())
    expected = exact(norm)(plain(conv, x))
    y = norm(conv(x))
    getattr(norm, name).fill_(3)
    assert_close(y, expected)
    assert_close(norm(conv(x)), exact(norm)(plain(conv, x)))


def test_result_written(conv, x):
    y = conv(x)
    z = F.relu(y)
    y.zero_()
    assert_close(z, F.relu(plain(conv, x)))
    assert_close(y, torch.zeros(y.shape))
    y = conv(x)
    z = torch.tanh(y)
    y.relu_()
    assert_close(y, F.relu(plain(conv, x)))
    assert_close(z, torch.tanh(plain(conv, x)))


def test_input_deleted(conv, x):
    expected = plain(conv, x)
    y = conv(x)
    del x
    gc.collect()
    torch.ipex.empty_cache()
    assert_close(y, expected)


# The process


def test_synchronize_stream_and_event(conv, x):
    event = torch.ipex.Event()
    for wait in (torch.ipex.synchronize, torch.ipex.current_stream().synchronize, event.synchronize):
        y = conv(x)
        assert is_open(y)
        event.record()
        wait()
        assert not is_open(y)


def test_profiler_range(conv, x):
    with torch.profiler.record_function("range"):
        y = conv(x)
        assert is_open(y)
    assert not is_open(y)


def test_profile_ends(conv, x):
    with torch.profiler.profile() as profile:
        y = F.relu(conv(x))
    assert_close(y, F.relu(plain(conv, x)))
    assert "aten::convolution" in {event.key for event in profile.key_averages()}


def test_explain_ends(conv, x):
    with ipex.explain() as explanation:
        y = F.relu(conv(x))
    assert not is_open(y)
    assert runs(explanation) == 1


def test_fifth_open_primitive(conv, x):
    results = [conv(x) for _ in range(20)]
    assert sum(map(is_open, results)) == 4
    for y in results:
        assert_close(y, plain(conv, x))


def test_another_thread_reads(conv, x):
    y = F.relu(conv(x))
    read: list[torch.Tensor] = []
    thread = threading.Thread(target=lambda: read.append(y.cpu()))
    thread.start()
    thread.join()
    assert not is_open(y)
    assert_close(read[0], F.relu(plain(conv, x)))


def test_another_thread_writes_the_input(conv):
    x = large_input()
    expected = plain(conv, x)
    y = conv(x)
    thread = threading.Thread(target=lambda: x.zero_())
    thread.start()
    thread.join()
    assert not is_open(y)
    assert_close(y, expected)


def test_another_thread_extends_and_the_first_ends(conv, x):
    made: list[torch.Tensor] = []
    thread = threading.Thread(target=lambda: made.append(conv(x)))
    with torch.no_grad():
        thread.start()
        thread.join()
    y = made.pop()
    z = F.relu(y)
    del y
    assert_close(z, F.relu(plain(conv, x)))


def test_many_threads_read_one_result(conv, x):
    expected = F.relu(plain(conv, x))
    for _ in range(50):
        y = conv(x)
        z = F.relu(y)
        barrier = threading.Barrier(4)

        def read(tensor, wanted, barrier=barrier):
            barrier.wait()
            assert_close(tensor, wanted)

        with ThreadPoolExecutor(4) as pool:
            pairs = [(y, plain(conv, x)), (z, expected)] * 2
            for future in [pool.submit(read, *pair) for pair in pairs]:
                future.result()


def test_fork(conv, x):
    y = F.relu(conv(x))
    assert is_open(y)
    child = os.fork()
    if child == 0:
        good = not is_open(y) and torch.isfinite(y.cpu()).all().item()
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert_close(y, F.relu(plain(conv, x)))


def test_fork_when_fusion_was_used_before_any_memory():
    printed = run_program("""
        import os, torch, torch_ipex_device
        torch.ipex.set_eager_fusion(False)
        torch.ipex.set_eager_fusion(True)
        conv, x = torch.nn.Conv2d(8, 8, 3).to("ipex"), torch.ones(1, 8, 32, 32).to("ipex")
        with torch.no_grad():
            y = torch.relu(conv(x))
        child = os.fork()
        if child == 0:
            os._exit(0 if torch.isfinite(y.cpu()).all() else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)
    assert printed == "0"


def test_inference_mode(conv, x):
    with torch.inference_mode():
        y = F.relu(conv(x))
        assert is_open(y)
    assert y.is_inference()
    assert_close(y, F.relu(plain(conv, x)))


def test_hooks_that_read_and_replace(conv, x):
    seen: list[float] = []
    values = plain(conv, x)
    model = nn.Sequential(conv, nn.ReLU())
    with_hook = conv.register_forward_hook(lambda module, args, output: seen.append(output.mean().item()))
    assert_close(model(x), F.relu(values))
    assert seen == pytest.approx([values.mean().item()], abs=1e-5)
    with_hook.remove()
    conv.register_forward_hook(lambda module, args, output: output * 2)
    assert_close(model(x), F.relu(2 * values))


def test_gradients_recorded_afterwards(conv, x):
    y = F.relu(conv(x))
    assert is_open(y)
    leaf = torch.ones(2, 32, 12, 12, device=DEVICE, requires_grad=True)
    with torch.enable_grad():
        (leaf * y).sum().backward()
    assert_close(leaf.grad, F.relu(plain(conv, x)))


def test_error_in_a_later_operator_leaves_the_values(conv, x):
    y = conv(x)
    with pytest.raises(RuntimeError):
        y + torch.ones(5, device=DEVICE)
    with pytest.raises(RuntimeError):
        F.batch_norm(y, torch.ones(5, device=DEVICE), torch.ones(5, device=DEVICE))
    assert_close(F.relu(y), F.relu(plain(conv, x)))


# Lifetimes


def test_what_nobody_reads_is_not_computed(conv, x):
    with ipex.explain() as explanation:
        for _ in range(10):
            F.relu(conv(x))
    assert runs(explanation) == 0


def test_inputs_live_until_the_values_are_there(conv):
    x = large_input()
    storage = weakref.ref(x.untyped_storage())
    before = torch.ipex.memory_allocated()
    y = conv(x)
    del x
    y.cpu()
    del y, storage
    assert torch.ipex.memory_allocated() < before


def test_memory_stays_flat(conv, x):
    norm = on_device(batch_norm())

    def loop(count):
        kept = []
        for step in range(count):
            y = norm(conv(x))
            kept.append(F.relu(y))
            if step % 3 == 0:
                kept[-1].sum()
            del kept[:-3]

    loop(50)
    before = torch.ipex.memory_allocated()
    loop(2000)
    assert torch.ipex.memory_allocated() == before

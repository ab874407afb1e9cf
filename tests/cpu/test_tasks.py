"""Task: calls run in another thread on its cores, with what the caller has switched on."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

import torch_ipex_device as ipex
from sanitizers import without_thread_sanitizer
from torch_ipex_device.cpu.runtime import CPUPool, FutureTensor, Task
from torch_ipex_device.cpu.runtime.affinity import masks_of_team

CORES = sorted(os.sched_getaffinity(0))
POOL = CPUPool(CORES)


@pytest.fixture(autouse=True)
def threads_are_where_they_were() -> Iterator[None]:
    before = masks_of_team(), torch.get_num_threads()
    yield
    assert (masks_of_team(), torch.get_num_threads()) == before


@pytest.mark.parametrize("device", ["cpu", "ipex"])
def test_result_is_that_of_the_module(device: str) -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(6, 4).to(device), torch.randn(3, 6, device=device)
    future = Task(layer, POOL)(x)
    assert isinstance(future, FutureTensor)
    assert torch.equal(future.get().cpu(), layer(x).cpu())
    assert future.done()
    assert torch.equal(Task(layer, POOL).run_sync(input=x).cpu(), layer(x).cpu())


def test_script_modules_run_too() -> None:
    layer = nn.Linear(6, 4)
    with torch.no_grad():
        assert torch.equal(Task(torch.jit.script(layer), POOL).run_sync(torch.ones(2, 6)), layer(torch.ones(2, 6)))


def test_gradients_flow_back() -> None:
    layer = nn.Linear(6, 4)
    Task(layer, POOL).run_sync(torch.ones(2, 6)).sum().backward()
    assert layer.weight.grad is not None and layer.weight.grad.eq(2).all()


@pytest.mark.parametrize("count", range(1, len(CORES) + 1))
def test_kernels_run_on_the_cores_of_the_pool(count: int) -> None:
    cores = CORES[-count:]
    task = Task(lambda: (threading.get_ident(), masks_of_team()), CPUPool(cores))
    for _ in range(2):
        thread, masks = task.run_sync()
        assert thread != threading.get_ident()
        assert list(masks.values()) == [set(cores)] * count


def test_calls_return_at_once_and_keep_their_order() -> None:
    go, order = threading.Event(), []

    def wait(number: int) -> int:
        go.wait(10)
        order.append(number)
        return number

    task = Task(wait, POOL)
    futures = [task(number) for number in range(5)]
    assert not any(future.done() for future in futures)
    go.set()
    assert [future.get() for future in futures] == order == list(range(5))


def state() -> dict[str, Any]:
    return {
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "autocast": [(torch.is_autocast_enabled(each), torch.get_autocast_dtype(each)) for each in ("cpu", "ipex")],
        "amp": (ipex.get_auto_mix_precision(), ipex.get_train()),
        "threads": torch.get_num_threads(),
    }


@pytest.mark.parametrize(
    "context",
    [
        torch.enable_grad(),
        torch.no_grad(),
        torch.inference_mode(),
        torch.autocast("cpu", torch.bfloat16),
        torch.autocast("ipex"),
        ipex.AutoMixPrecision(ipex.AmpConf(torch.bfloat16), "training"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_module_sees_what_the_caller_switched_on(context: Any) -> None:
    task = Task(state, POOL)
    outside = task.run_sync()
    with context:
        inside, expected = task.run_sync(), state()
    assert inside == expected | {"threads": len(CORES)}
    assert task.run_sync() == outside


def test_int8_blocks_are_refused(tmp_path) -> None:
    conf = ipex.AmpConf(torch.int8)
    task = Task(nn.Linear(2, 2), POOL)
    with (
        ipex.AutoMixPrecision(conf, "calibration"),
        pytest.raises(ValueError, match=r"\[Task\] E103 got a call inside of an INT8 AutoMixPrecision block"),
    ):
        task(torch.ones(1, 2))


def test_threads_that_start_later_have_the_callers_number_of_threads() -> None:
    Task(nn.Linear(2, 2), CPUPool(CORES[:1])).run_sync(torch.ones(1, 2))
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert found == [torch.get_num_threads()]


def test_exceptions_come_from_get() -> None:
    def fail() -> None:
        raise KeyError("x")

    task = Task(fail, POOL)
    future = task()
    with pytest.raises(KeyError, match="x"):
        future.get()
    with pytest.raises(KeyError):
        task.run_sync()


def test_copies_and_pickles_have_threads_of_their_own() -> None:
    task = Task(nn.Linear(2, 2), POOL)
    task.run_sync(torch.ones(1, 2))
    for twin in (copy.deepcopy(task), pickle.loads(pickle.dumps(task))):
        assert torch.equal(twin.run_sync(torch.ones(1, 2)), task.run_sync(torch.ones(1, 2)))
        assert twin.cpu_pool.core_ids == CORES


def test_thread_ends_with_its_task() -> None:
    before = set(threading.enumerate())
    task = Task(nn.Linear(2, 2), POOL)
    task.run_sync(torch.ones(1, 2))
    (worker,) = set(threading.enumerate()) - before
    del task
    worker.join(10)
    assert not worker.is_alive()


@without_thread_sanitizer("refuses new threads in a child of threads")
def test_forked_child_gets_a_thread_of_its_own() -> None:
    program = """
import os, torch
from torch_ipex_device.cpu.runtime import CPUPool, Task
task = Task(torch.nn.Linear(64, 64).eval(), CPUPool())
with torch.no_grad():
    expected = task.run_sync(torch.ones(256, 64))
    child = os.fork()
    if child == 0:
        os._exit(0 if torch.equal(task.run_sync(torch.ones(256, 64)), expected) else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-c", program], cwd=tempfile.gettempdir(), check=True, timeout=60)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match=r"\[Task\] E101 got int as module; accepted: torch.nn.Module"):
        Task(3, POOL)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"\[Task\] E101 got list as cpu_pool; accepted: CPUPool"):
        Task(nn.Linear(2, 2), CORES)  # type: ignore[arg-type]

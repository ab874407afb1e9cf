"""Threads that share weights get right results, and no memory is lost."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import nn

THREADS = 4
ITERATIONS = 3000


def run_in_threads(work: Callable[[int], None]) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))  # raises what a thread raised


def test_shared_weights_give_right_results_and_no_leak() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.LayerNorm(32), nn.Linear(32, 8), nn.Softmax(1))
    inputs = [torch.randn(4, 16) for _ in range(THREADS)]
    with torch.no_grad():
        expected = [model(x).ipex() for x in inputs]
    model.to("ipex")
    inputs = [x.ipex() for x in inputs]
    wrong = [0] * THREADS

    def infer(index: int) -> None:
        with torch.no_grad():
            for _ in range(ITERATIONS):
                wrong[index] += not torch.allclose(model(inputs[index]), expected[index], rtol=1e-4, atol=1e-6)

    run_in_threads(infer)  # first uses of operators may keep memory: caches of primitives, thread pools
    assert wrong == [0] * THREADS
    gc.collect()
    start = torch.ipex.memory_allocated()
    run_in_threads(infer)
    gc.collect()
    assert wrong == [0] * THREADS
    assert torch.ipex.memory_allocated() == start


def test_concurrent_backward_through_shared_weights() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 1))
    inputs = [torch.randn(4, 8) for _ in range(THREADS)]
    expected = [torch.autograd.grad(model(x).sum(), list(model.parameters())) for x in inputs]
    model.to("ipex")

    def differentiate(index: int) -> None:
        x = inputs[index].ipex()
        for _ in range(200):
            gradients = torch.autograd.grad(model(x).sum(), list(model.parameters()))
            for actual, wanted in zip(gradients, expected[index], strict=True):
                torch.testing.assert_close(actual.cpu(), wanted)

    run_in_threads(differentiate)


def test_concurrent_random_draws_keep_the_generator_sound() -> None:
    def draw(_: int) -> None:
        for _ in range(500):
            x = torch.rand(64, device="ipex")
            assert bool(((x >= 0) & (x < 1)).all())

    run_in_threads(draw)


def test_tensors_may_be_released_in_another_thread() -> None:
    gc.collect()
    start = torch.ipex.memory_allocated()
    made: list[torch.Tensor] = [torch.ones(1000, device="ipex") for _ in range(200)]
    thread = threading.Thread(target=made.clear)
    thread.start()
    thread.join()
    assert torch.ipex.memory_allocated() == start

"""Weights that several threads, each with no others to help it, use and write, and processes that are forked meanwhile."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import pytest
import torch

from .cases import OPS, numbers
from .weights import assert_used_as_it_is, use


def together(*works: Callable[[], object]) -> None:
    """Runs them all at once, and raises what one of them raised."""
    raised: list[BaseException] = []
    barrier = threading.Barrier(len(works))

    def guarded(work: Callable[[], object]) -> None:
        try:
            barrier.wait()
            work()
        except BaseException as error:  # noqa: BLE001 - handed to the caller
            raised.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


def test_threads_begin_to_use_a_weight_at_once():
    for seed in range(20):
        weight = numbers(64, 64, seed=seed)
        together(*[lambda weight=weight: [assert_used_as_it_is(weight) for _ in range(3)]] * 4)


def test_threads_use_weights_of_their_own_that_come_and_go():
    def works() -> None:
        for seed in range(100):
            assert_used_as_it_is(numbers(64, 64, seed=seed))

    together(works, works, works, works)


def test_threads_use_and_write_a_weight():
    """Nothing is promised about results meanwhile; writers of single rows end quickly."""
    weight = numbers(64, 64)

    def uses() -> None:
        for _ in range(300):
            use(weight)

    def writes() -> None:
        for row in range(300):
            weight[row % 64].fill_(row)

    together(uses, uses, writes, writes)
    weight[0] = 1
    assert_used_as_it_is(weight)


def test_writers_are_joined_before_readers_begin():
    weight = numbers(256, 64)
    for _ in range(20):
        together(lambda: weight[:128].normal_(), lambda: weight[128:].normal_())
        together(*[lambda: assert_used_as_it_is(weight)] * 3)


def stale_after_everybody_is_joined() -> bool:
    """Writes a weight, which takes longer than a call, while another thread uses it."""
    weight, x = numbers(1024, 1024), torch.ones(1, 1024)
    for _ in range(20):
        done = threading.Event()

        def uses(done: threading.Event = done) -> None:
            with torch.no_grad():
                while not done.is_set():
                    OPS.linear(x, weight)

        def writes(done: threading.Event = done) -> None:
            weight.normal_()
            done.set()

        together(uses, writes)
        with torch.no_grad():
            if not torch.allclose(OPS.linear(x, weight)[0], weight.sum(1), atol=1e-2):
                return True
    return False


def test_results_are_right_when_everybody_is_joined():
    assert not stale_after_everybody_is_joined()


def exit_codes_of_children(count: int, work: Callable[[], bool], seconds: float) -> list[int | None]:
    """Forks children, and returns what they exit with; None for those that hang."""
    pids = []
    for _ in range(count):
        time.sleep(0.02)
        pid = os.fork()
        if pid == 0:
            os._exit(0 if work() else 1)
        pids.append(pid)
    end = time.monotonic() + seconds
    codes: list[int | None] = []
    for pid in pids:
        done, status = os.waitpid(pid, os.WNOHANG)
        while not done and time.monotonic() < end:
            time.sleep(0.01)
            done, status = os.waitpid(pid, os.WNOHANG)
        if not done:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        codes.append(os.waitstatus_to_exitcode(status) if done else None)
    return codes


def test_children_use_the_copies_of_their_parent():
    weight = numbers(64, 64)
    use(weight)

    def work() -> bool:
        right = torch.allclose(use(weight)[0], weight.sum(1), atol=1e-4)
        weight[3] = 1
        return right and torch.allclose(use(weight)[0], weight.sum(1), atol=1e-4)

    assert exit_codes_of_children(3, work, 20) == [0, 0, 0]
    assert_used_as_it_is(weight)


def hanging_children() -> int:
    """Forks while threads make copies; returns how many children hang."""
    done = threading.Event()

    def uses() -> None:
        weight = numbers(1024, 1024)
        while not done.is_set():
            use(weight, 2)
            weight[0, 0] = 1

    threads = [threading.Thread(target=uses) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    try:
        codes = exit_codes_of_children(10, lambda: bool(use(numbers(64, 64)).numel()), 3)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    return codes.count(None)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forking_while_threads_make_copies():
    assert hanging_children() == 0

"""Backward in the calling thread: where nodes run, what the flag is afterwards, and who keeps a say."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import ClassVar

import pytest
import torch
from torch.autograd import graph
from torch.autograd.graph import GradientEdge, get_gradient_edge

from device.programs import run_program
from torch_patches.without import run_without

# It leaves at once: without the patch PyTorch's worker may still want Python's lock while Python ends, and is ended then in a
# function that must not throw, which aborts.
PROGRAM = """
import os, sys, threading, torch, torch_ipex_device

class Where(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        print(threading.get_ident() == main, torch.get_num_threads())
        return gradient

main = threading.get_ident()
torch.set_num_threads(1)
x = torch.ones(3, device="ipex", requires_grad=True)
Where.apply(x).sum().backward()
sys.stdout.flush()
os._exit(0)
"""


def test_worker_thread_without_the_patch_calling_thread_with_it() -> None:
    assert run_without("autograd_thread", PROGRAM).startswith("False")
    assert run_program(PROGRAM) == "True 1"


class Where(torch.autograd.Function):
    """Identity that records the thread and the flag of its backward."""

    seen: ClassVar[list[tuple[int, bool]]] = []

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        Where.seen.append((threading.get_ident(), torch._C._is_multithreading_enabled()))
        return gradient


@pytest.fixture(autouse=True)
def _nothing_seen() -> Iterator[None]:
    Where.seen.clear()
    yield
    assert torch._C._is_multithreading_enabled()


HERE = (threading.get_ident(), False)


def leaf() -> torch.Tensor:
    return torch.ones(3, device="ipex", requires_grad=True)


def test_backward_and_grad_run_here() -> None:
    x = leaf()
    Where.apply(x).sum().backward()
    torch.autograd.backward([Where.apply(x).sum(), Where.apply(x).sum()])
    torch.autograd.grad(Where.apply(x).sum(), x)
    torch.autograd.grad(Where.apply(x), x, torch.ones(3, device="ipex"))
    torch.func.grad(lambda y: (y * 2).sum())(x.detach())
    assert Where.seen == [HERE] * 5


def test_root_on_cpu_runs_here_too() -> None:
    Where.apply(leaf()).sum().cpu().backward()
    assert Where.seen == [HERE]


def test_root_as_gradient_edge() -> None:
    x = leaf()
    edge = get_gradient_edge(Where.apply(x).sum())
    assert isinstance(edge, GradientEdge)
    torch.autograd.backward(edge, torch.ones((), device="ipex"))
    assert Where.seen == [HERE]


def test_nested_backward_runs_here() -> None:
    class Nested(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):  # type: ignore[no-untyped-def]
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):  # type: ignore[no-untyped-def, override]
            with torch.enable_grad():
                Where.apply(leaf()).sum().backward()
            return gradient

    Nested.apply(leaf()).sum().backward()
    assert Where.seen == [HERE]


def test_flag_is_restored_after_an_error() -> None:
    class Fails(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):  # type: ignore[no-untyped-def]
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):  # type: ignore[no-untyped-def, override]
            raise ArithmeticError("on purpose")

    with pytest.raises(ArithmeticError, match="on purpose"):
        Fails.apply(leaf()).sum().backward()
    assert torch._C._is_multithreading_enabled()


def test_user_who_disabled_multithreading_keeps_it_disabled() -> None:
    with torch.autograd.set_multithreading_enabled(False):
        Where.apply(leaf()).sum().backward()
        assert not torch._C._is_multithreading_enabled()
    assert Where.seen == [HERE]


@pytest.mark.parametrize(("device", "expected_flag"), [("cpu", True), ("ipex", False)])
def test_other_devices_with_threads_do_not_inherit_it(
    device: str, expected_flag: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    x = torch.ones(3, device=device, requires_grad=True)
    Where.apply(x).sum().backward()
    torch.autograd.backward(get_gradient_edge(Where.apply(x).sum()), torch.ones((), device=device))
    assert [flag for _, flag in Where.seen] == [expected_flag] * 2


def test_backward_in_another_thread_runs_in_that_thread() -> None:
    def work() -> None:
        Where.apply(leaf()).sum().backward()
        Where.seen.append((threading.get_ident(), False))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert Where.seen[0] == Where.seen[1] != HERE


def test_compiled_graphs_and_captured_gradients_work() -> None:
    def gradient(x: torch.Tensor) -> torch.Tensor:
        y = x.detach().requires_grad_()
        return torch.autograd.grad((y * y).sum(), y)[0]

    x = torch.arange(3.0, device="ipex")
    for backend in ("eager", "aot_eager"):
        assert torch.equal(torch.compile(gradient, backend=backend)(x), 2 * x)
    linear = torch.compile(torch.nn.Linear(3, 2).to("ipex"), backend="aot_eager")
    linear(x).sum().backward()
    assert linear.weight.grad is not None


def test_temporary_patches_of_pytorch_wrap_and_restore_ours() -> None:
    ours = graph._engine_run_backward
    with torch.compiler._patch_engine_backward():
        assert graph._engine_run_backward is not ours
    assert graph._engine_run_backward is torch.autograd._engine_run_backward is ours

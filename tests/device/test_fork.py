"""Fork after activation: the child computes, with one thread when the parent had several; only PyTorch's own ban of
backward after backward remains."""

from __future__ import annotations

import pytest

from device.programs import run_program
from sanitizers import without_thread_sanitizer

FORKED = """
import os, sys, torch
import torch_ipex_device

x = torch.arange(6.0, device="ipex").view(2, 3)
{parent}
child = os.fork()
if child == 0:
    try:
        {child}
    except RuntimeError as error:
        print(error)
        os._exit(7)
    sys.stdout.flush()
    os._exit(0)
_, status = os.waitpid(child, 0)
print("status", os.waitstatus_to_exitcode(status))
print("parent", (x @ x.t()).sum().item())
"""


@pytest.mark.parametrize(
    "child",
    [
        "assert (x @ x.t()).sum().item() == 83",
        "assert torch.softmax(x, 1).sum().item() > 1.99",
        "torch.manual_seed(0); a = torch.rand(3, device='ipex'); torch.manual_seed(0); assert torch.equal(a.cpu(), torch.rand(3))",
        "assert torch.ipex.memory_allocated() > 0; torch.ipex.empty_cache(); torch.ipex.synchronize()",
        "assert torch.nn.LSTM(3, 4).to('ipex')(x)[0].shape == (2, 4)",
        "assert torch.ones(3).pin_memory().is_pinned()",
    ],
)
def test_forward_works_in_the_child(child: str) -> None:
    output = run_program(FORKED.format(parent="torch.softmax(x @ x.t(), 1)", child=child))
    assert output.splitlines() == ["status 0", "parent 83.0"]


@without_thread_sanitizer("does not see that the threads of OpenMP are at their barrier")
def test_child_of_a_threaded_parent_computes_with_one_thread() -> None:
    """Without the handler OpenMP waits in the child for the parent's pool for ever, as it does on stock CPU."""
    parent = "big = torch.ones(2048, 512, device='ipex'); torch.set_num_threads(2); torch.softmax(big, 1)"
    child = "assert torch.get_num_threads() == 1; assert torch.softmax(big, 1).sum().item() == 2048"
    assert "status 0" in run_program(FORKED.format(parent=parent, child=child))


def test_backward_works_in_the_child_of_a_parent_without_backward() -> None:
    child = "y = x.clone().requires_grad_(); (y * y).sum().backward(); assert torch.equal(y.grad, 2 * x)"
    assert "status 0" in run_program(FORKED.format(parent="", child=child))


def test_backward_after_backward_is_pytorchs_error_and_the_parent_lives() -> None:
    parent = "w = x.clone().requires_grad_(); (w * w).sum().backward()"
    child = "y = x.clone().requires_grad_(); (y * y).sum().backward()"
    output = run_program(FORKED.format(parent=parent, child=child))
    assert "fork-based multiprocessing" in output
    assert "status 7" in output
    assert "parent 83.0" in output


def test_fork_while_other_threads_compute() -> None:
    output = run_program(
        """
        import os, threading, torch
        import torch_ipex_device

        stop = threading.Event()
        weight = torch.randn(16, 16, device="ipex")

        def work():
            while not stop.is_set():
                torch.softmax(weight, 1)
                torch.cumsum(weight, 0)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        codes = []
        for _ in range(20):
            child = os.fork()
            if child == 0:
                x = torch.ones(8, 8, device="ipex")
                ok = torch.softmax(x, 1).sum().item() == 8 and torch.cumsum(x, 0)[7, 0].item() == 8
                os._exit(0 if ok else 1)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        stop.set()
        for thread in threads:
            thread.join()
        print(set(codes))
        """
    )
    assert output == "{0}"

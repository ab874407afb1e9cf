"""What a peer hands to the worker: a loaded model, ready to run. And the two ways in which PyTorch itself runs one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn

from comparison.workload import Workload
from models import loss, target_of

# Small enough for hundreds of steps on one batch without overflow.
LEARNING_RATE, MOMENTUM = 1e-4, 0.9


Mode = Callable[[], AbstractContextManager[Any]]


def autocast(workload: Workload, device: str = "cpu") -> Mode:
    """Returns the context in which stock PyTorch computes a workload."""
    return partial(torch.autocast, torch.device(device).type, torch.bfloat16, enabled=workload.is_mixed)


@dataclass(frozen=True)
class Program:
    """A model that is ready to run.

    Attributes:
        run: one iteration, which ends when its result is in ordinary CPU memory; this is what is timed.
        output: called once, before anything is timed: one iteration, and what to compare with the float64 run. For
            inference the model's output, for training the gradients of all parameters after one step.
        facts: called once, after everything is timed: figures of one iteration that only this peer has.
    """

    run: Callable[[], object]
    output: Callable[[], torch.Tensor]
    facts: Callable[[], dict[str, int]] = field(default=dict)


def inference(
    model: nn.Module | Callable[[torch.Tensor], torch.Tensor],
    input: torch.Tensor,
    device: str = "cpu",
    mode: Mode = nullcontext,
) -> Program:
    """Returns a program of forwards; a transfer of the input to `device` and of the output back is part of each.

    Args:
        model: already on `device` and in the dtype that its parameters are to have.
        input: on CPU, in the dtype that the model wants.
        device: where the model is.
        mode: the context to compute in.
    """

    def run() -> torch.Tensor:
        with torch.inference_mode(), mode():
            return model(input.to(device)).to("cpu")

    return Program(run, run)


def training(
    workload: Workload,
    model: nn.Module,
    input: torch.Tensor,
    device: str = "cpu",
    mode: Mode | None = None,
    finish: Callable[[nn.Module, torch.optim.Optimizer], tuple[nn.Module, torch.optim.Optimizer]] | None = None,
) -> Program:
    """Returns a program of training steps: forward, cross entropy, backward, SGD with momentum, the loss as a number.

    Args:
        workload: what to run.
        model: on `device`.
        input: on CPU.
        device: where the model is.
        mode: the context to compute in; None: autocast as the workload says.
        finish: what a peer makes of model and optimizer.
    """
    model.train()
    optimizer: torch.optim.Optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    if finish is not None:
        model, optimizer = finish(model, optimizer)
    target: torch.Tensor | None = None

    def run() -> float:
        nonlocal target
        optimizer.zero_grad()
        with (mode or autocast(workload, device))():
            output = model(input.to(device))
            if target is None:
                target = target_of(output)
            value = loss(output, target.to(device))
        value.backward()
        optimizer.step()
        return value.item()

    def gradients() -> torch.Tensor:
        run()
        return torch.cat([p.grad.flatten().cpu() for p in model.parameters() if p.grad is not None])

    return Program(run, gradients)

"""What tests of optimizers share: the table of cases, modules to cast, and steps with the same gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

import torch_ipex_device as ipex
from torch_ipex_device.optim.front_end import master_of, prepare_optimizer

Make = Callable[..., torch.optim.Optimizer]

# class, options; the ones with several rows compute other formulas with other options.
CASES: list[tuple[Make, dict[str, Any]]] = [
    (torch.optim.SGD, {"lr": 0.1}),
    (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.01}),
    (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    (torch.optim.Adam, {"lr": 0.01, "weight_decay": 0.01}),
    (torch.optim.Adam, {"lr": 0.01, "amsgrad": True}),
    (torch.optim.AdamW, {"lr": 0.01, "weight_decay": 0.1}),
    (torch.optim.Adagrad, {"lr": 0.05, "lr_decay": 0.01, "weight_decay": 0.01}),
    (torch.optim.Adadelta, {"lr": 1.0}),
    (torch.optim.Adafactor, {"lr": 0.01}),
    (torch.optim.Adamax, {"lr": 0.01}),
    (torch.optim.ASGD, {"lr": 0.01}),
    (torch.optim.NAdam, {"lr": 0.01}),
    (torch.optim.RAdam, {"lr": 0.01}),
    (torch.optim.RMSprop, {"lr": 0.01, "momentum": 0.9, "centered": True}),
    (torch.optim.Rprop, {"lr": 0.01}),
    (ipex.optim.Lamb, {"lr": 0.01, "weight_decay": 0.01}),
    (ipex.optim.Lars, {"lr": 1.0, "momentum": 0.9, "weight_decay": 0.01}),
    (ipex.optim.SplitSGD, {"lr": 0.1, "momentum": 0.9}),
]
IDS = [f"{make.__name__}-{'-'.join(sorted(options))}" for make, options in CASES]
FUSED = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.Adagrad)
DEVICES = ("cpu", "ipex")


def layer(device: str = "cpu", rows: int = 5, columns: int = 7) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(columns, rows).to(device)


def prepare(
    optimizer: torch.optim.Optimizer,
    modules: Sequence[nn.Module],
    split: bool = True,
    fuse: bool = False,
    dtype: torch.dtype | None = torch.bfloat16,
) -> torch.optim.Optimizer:
    casts = [(m, name) for each in modules for m in each.modules() for name, _ in m.named_parameters(recurse=False)]
    return prepare_optimizer(optimizer, casts, dtype, split, fuse)


def gradients(like: Sequence[Tensor], step: int) -> list[Tensor]:
    """bfloat16 numbers as float32, the same ones for the same step."""
    generator = torch.Generator().manual_seed(step)
    return [torch.randn(p.shape, generator=generator).bfloat16().float() for p in like]


def steps(optimizer: torch.optim.Optimizer, parameters: Sequence[Tensor], count: int, first: int = 0) -> None:
    for step in range(first, first + count):
        for parameter, grad in zip(parameters, gradients(parameters, step), strict=True):
            parameter.grad = grad.to(parameter.device, parameter.grad_dtype)
        optimizer.step()


def masters(optimizer: torch.optim.Optimizer, parameters: Sequence[Tensor]) -> list[Tensor]:
    return [master_of(optimizer, parameter).cpu().clone() for parameter in parameters]


def assert_same(got: Sequence[Tensor], expected: Sequence[Tensor]) -> None:
    """Bit for bit."""
    for a, b in zip(got, expected, strict=True):
        assert a.dtype == b.dtype and torch.equal(a.detach().cpu(), b.detach().cpu()), (a, b)

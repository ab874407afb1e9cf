"""Training of a model for some steps: plain, in mixed precision, with bfloat16 weights and split masters."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torch_ipex_device as ipex

from .networks import CLASSES
from .workload import DEVICE, Workload

_STEPS = 2
_OPTIMIZERS: tuple[Callable[..., torch.optim.Optimizer], ...] = (
    partial(torch.optim.SGD, lr=1e-2, momentum=0.9),
    partial(torch.optim.Adam, lr=1e-4),
    partial(torch.optim.AdamW, lr=1e-4),
)
_BFLOAT16 = 25.0  # dB of the losses

Context = Callable[[], AbstractContextManager[object]]


def plain(work: Workload) -> None:
    """Float32."""
    _train(work, nullcontext, None)


def automatic_mixed_precision(work: Workload) -> None:
    """`ipex.AutoMixPrecision` with float32 weights."""
    conf = ipex.AmpConf(torch.bfloat16)
    _train(work, lambda: ipex.AutoMixPrecision(conf, running_mode="training"), _BFLOAT16)


def autocast(work: Workload) -> None:
    """`torch.autocast` with float32 weights."""
    _train(work, lambda: torch.autocast("ipex", torch.bfloat16), _BFLOAT16)


def split_masters(work: Workload) -> None:
    """`ipex.optimize` in bfloat16; the optimizer has the other half of the weights."""
    _train(work, lambda: torch.autocast("ipex", torch.bfloat16), _BFLOAT16, low=True)


def _train(work: Workload, context: Context, decibel: float | None, low: bool = False) -> None:
    pair = work.pair()
    batch = work.batch(pair.cpu, smallest=4)
    target = torch.randint(CLASSES, (len(batch),))
    optimizer = work.choice.choice(_OPTIMIZERS)
    model = copy.deepcopy(pair.ipex).train()
    step = optimizer(model.parameters())
    if low:
        model, step = ipex.optimize(model, dtype=torch.bfloat16, optimizer=step, inplace=True)

    def expected() -> Tensor:
        stock = copy.deepcopy(pair.cpu).train()
        with torch.enable_grad():
            return _losses(stock, optimizer(stock.parameters()), batch, target, nullcontext)

    work.agree(_losses(model, step, batch.to(DEVICE), target.to(DEVICE), context), expected, decibel)


def _losses(model: nn.Module, step: torch.optim.Optimizer, batch: Tensor, target: Tensor, context: Context) -> Tensor:
    losses = []
    for _ in range(_STEPS):
        step.zero_grad()
        with context():
            loss = F.cross_entropy(model(batch).float(), target)
        loss.backward()
        step.step()
        losses.append(loss.item())
    return torch.tensor(losses)

"""Copies a model, and its optimizer with it, for `inplace=False`."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

_Model = TypeVar("_Model", bound=nn.Module)


def copied(model: _Model, optimizer: torch.optim.Optimizer | None) -> tuple[_Model, torch.optim.Optimizer | None]:
    """Returns deep copies; the optimizer's copy holds the parameters of the model's copy.

    Tensors that `forward` computed and a module kept, which `copy.deepcopy` refuses (`weight_norm` makes such), are copied
    without their history.

    Args:
        model: the model.
        optimizer: an optimizer of it, or None.
    """
    memo: dict[int, Any] = {}
    for module in model.modules():
        for value in [*vars(module).values(), *module._buffers.values()]:
            if isinstance(value, Tensor) and not value.is_leaf:
                memo[id(value)] = value.detach().clone()
    made: tuple[_Model, torch.optim.Optimizer | None] = copy.deepcopy((model, optimizer), memo)
    return made

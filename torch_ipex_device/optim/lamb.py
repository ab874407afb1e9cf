"""Lamb: Adam whose step of every parameter is scaled to the norm of that parameter."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from .layerwise import LayerwiseOptimizer, norm
from .options import require, require_not_negative


class Lamb(LayerwiseOptimizer):
    """Layer-wise adaptive moments, for training with large batches.

    With gradient g, weight w and step t, all products by element:

        m = b1 m + (1 - b1) g                   v = b2 v + (1 - b2) g g
        r = (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps) + weight_decay w
        w = w - lr (|w| / |r|) r                |w| / |r| is 1 where one of the norms is 0

    State is float32 (float64 for float64 parameters), and so is arithmetic.

    Args:
        params: parameters, or dictionaries of groups.
        lr: learning rate, at least 0.
        betas: factors of the two running means, at least 0 and below 1.
        eps: added to the denominator, at least 0.
        weight_decay: at least 0.
        fused: accepted for programs of the archived extension; there is one implementation.

    Raises:
        ValueError: E103, an argument out of range.

    Source: You et al. 2019, arXiv:1904.00962, algorithm 2.

    Example:
        >>> layer = torch.nn.Linear(4, 4).to("ipex")
        >>> optimizer = ipex.optim.Lamb(layer.parameters(), lr=1e-2, weight_decay=0.01)
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        fused: bool = False,
    ) -> None:
        require_not_negative("Lamb", lr=lr, eps=eps, weight_decay=weight_decay)
        require("Lamb", "betas", betas, len(betas) == 2 and all(0 <= b < 1 for b in betas), "two numbers in [0, 1)")
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "fused": fused}
        super().__init__(params, defaults)

    def _update(self, value: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state["step"] = torch.tensor(0.0)
            state["exp_avg"] = torch.zeros_like(value)
            state["exp_avg_sq"] = torch.zeros_like(value)
        state["step"] += 1
        step = float(state["step"])
        beta1, beta2 = group["betas"]
        state["exp_avg"].lerp_(grad, 1 - beta1)
        state["exp_avg_sq"].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        direction = state["exp_avg_sq"].div(1 - beta2**step).sqrt_().add_(group["eps"])
        torch.div(state["exp_avg"], direction, out=direction).div_(1 - beta1**step)
        if group["weight_decay"] != 0:
            direction.add_(value, alpha=group["weight_decay"])
        weight, change = norm(value), norm(direction)
        ratio = weight / change if weight > 0 and change > 0 else 1.0
        value.add_(direction, alpha=-float(group["lr"]) * ratio)

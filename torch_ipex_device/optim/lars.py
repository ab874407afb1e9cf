"""Lars: SGD whose learning rate for every parameter follows the norms of that parameter and its gradient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from .layerwise import LayerwiseOptimizer, norm
from .options import require_not_negative


class Lars(LayerwiseOptimizer):
    """Layer-wise adaptive rate scaling, for training with large batches.

    With gradient g and weight w:

        rate = lr eeta |w| / (|g| + weight_decay |w| + epsilon)         lr where |w| or |g| is 0
        v = momentum v + rate (g + weight_decay w)
        w = w - v

    State is float32 (float64 for float64 parameters), and so is arithmetic.

    Args:
        params: parameters, or dictionaries of groups.
        lr: learning rate, at least 0.
        momentum: factor of v, at least 0.
        eeta: trust coefficient, at least 0.
        weight_decay: at least 0.
        epsilon: added to the denominator, at least 0.

    Raises:
        ValueError: E103, an argument out of range.

    Source: You et al. 2017, arXiv:1708.03888, algorithm 1.

    Example:
        >>> layer = torch.nn.Linear(4, 4).to("ipex")
        >>> optimizer = ipex.optim.Lars(layer.parameters(), lr=10.0, momentum=0.9)
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        momentum: float = 0,
        eeta: float = 1e-3,
        weight_decay: float = 0,
        epsilon: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "eeta": eeta, "weight_decay": weight_decay, "epsilon": epsilon}
        require_not_negative("Lars", **defaults)
        super().__init__(params, defaults)

    def _update(self, value: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        decay, rate = group["weight_decay"], float(group["lr"])
        weight, slope = norm(value), norm(grad)
        if weight > 0 and slope > 0:
            rate *= group["eeta"] * weight / (slope + decay * weight + group["epsilon"])
        direction = grad.add(value, alpha=decay) if decay != 0 else grad
        if group["momentum"] == 0:
            value.add_(direction, alpha=-rate)
            return
        if not state:
            state["momentum_buffer"] = torch.zeros_like(value)
        buffer = state["momentum_buffer"].mul_(group["momentum"]).add_(direction, alpha=rate)
        value.sub_(buffer)

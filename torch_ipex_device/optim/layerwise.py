"""What Lamb and Lars share: they scale the step of every parameter by its norm, and compute in float32 at least."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, overload

import torch
from torch import Tensor

from torch_ipex_device.core.errors import error

from .float32_state import loading_as_float32

_LOW = (torch.bfloat16, torch.float16)


class LayerwiseOptimizer(torch.optim.Optimizer):
    """An optimizer whose update of a parameter reads that parameter as a whole. State of bfloat16 is float32."""

    @abstractmethod
    def _update(self, value: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Updates `value` and `state` in place; `value` and `grad` are float32, or float64 as the parameter is."""

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Updates all parameters that have a gradient.

        Args:
            closure: computes the loss and its gradients again.

        Returns:
            What `closure` returned.

        Raises:
            NotImplementedError: E104, a sparse gradient.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                grad = parameter.grad
                if grad is None:
                    continue
                if grad.layout != torch.strided:
                    raise error("E104", type(self).__name__, "got a sparse gradient; accepted: dense ones")
                value = parameter.float() if parameter.dtype in _LOW else parameter
                self._update(value, grad.to(value.dtype), self.state[parameter], group)
                if value is not parameter:
                    parameter.copy_(value)
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Loads what `state_dict()` gave; state of bfloat16 parameters stays float32.

        Args:
            state_dict: of an optimizer with groups of the same sizes.

        Raises:
            ValueError: groups of other sizes.
        """
        low = {parameter for group in self.param_groups for parameter in group["params"] if parameter.dtype in _LOW}
        with loading_as_float32(self, low):
            super().load_state_dict(state_dict)


def norm(value: Tensor) -> float:
    """Returns the Euclidean norm. Rows first: one sum of many million squares in float32 is wrong in its third digit."""
    rows = torch.linalg.vector_norm(value, dim=tuple(range(1, value.dim()))) if value.dim() > 1 else value
    return float(torch.linalg.vector_norm(rows, dtype=torch.float64))

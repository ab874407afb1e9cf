"""SGD for models whose parameters are bfloat16: the optimizer keeps the 16 bits of float32 that bfloat16 has not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor

from torch_ipex_device.core.errors import error

from .options import require_not_negative
from .split_float import cat_bfloat16_float, split_into

_KEY = "low_bits"


class SplitSGD(torch.optim.Optimizer):
    """Stochastic gradient descent with float32 master weights of bfloat16 parameters, at half their memory.

    A bfloat16 parameter and 16 more bits in `state` are one float32 number. Every step joins them, updates in float32 as
    `torch.optim.SGD` does, and splits again, so small updates are not lost. Parameters of other dtypes are updated as they
    are. For models that were converted with `.to(torch.bfloat16)`; automatic mixed precision needs nothing like it.

    Args:
        params: parameters, or dictionaries of groups.
        lr: learning rate, at least 0.
        momentum: factor of the buffer, at least 0; the buffer is float32.
        dampening: of the momentum.
        weight_decay: factor of the parameter that is added to its gradient, at least 0.
        nesterov: Nesterov's momentum; needs a momentum and no dampening.

    Raises:
        ValueError: E103, an argument out of range.
        NotImplementedError: E104, a sparse gradient.

    Source: the archived extension's optimizer of this name, which had neither momentum nor weight decay.

    Example:
        >>> layer = torch.nn.Linear(4, 4).to("ipex", torch.bfloat16)
        >>> optimizer = ipex.optim.SplitSGD(layer.parameters(), lr=1e-3, momentum=0.9)
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
    ) -> None:
        require_not_negative("SplitSGD", lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum == 0 or dampening != 0):
            raise error("E103", "SplitSGD", "got nesterov=True; accepted with a momentum and without dampening")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
        }
        super().__init__(params, defaults)

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
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)
        return loss

    def _update(self, parameter: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        if grad.is_sparse:
            raise error("E104", "SplitSGD", "got a sparse gradient; accepted: dense ones")
        state = self.state[parameter]
        is_split = parameter.dtype == torch.bfloat16
        if is_split and _KEY not in state:
            state[_KEY] = torch.zeros_like(parameter, dtype=torch.int16)
        value = cat_bfloat16_float(parameter, state[_KEY]) if is_split else parameter
        direction = grad.to(value.dtype)
        if group["weight_decay"] != 0:
            direction = direction.add(value, alpha=group["weight_decay"])
        if group["momentum"] != 0:
            buffer = state.get("momentum_buffer")
            if buffer is None:
                buffer = state["momentum_buffer"] = direction.clone()
            else:
                buffer.mul_(group["momentum"]).add_(direction, alpha=1 - group["dampening"])
            direction = direction.add(buffer, alpha=group["momentum"]) if group["nesterov"] else buffer
        if not is_split:
            parameter.add_(direction, alpha=-group["lr"])
            return
        split_into(value.add_(direction, alpha=-group["lr"]), parameter, state[_KEY])

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Loads what `state_dict()` gave.

        Args:
            state_dict: of an optimizer with groups of the same sizes.

        Raises:
            ValueError: groups of other sizes.
        """
        super().load_state_dict(state_dict)
        # The base class casts state of floating point parameters to their dtype.
        saved = state_dict["state"]
        parameters = [parameter for group in self.param_groups for parameter in group["params"]]
        names = [name for group in state_dict["param_groups"] for name in group["params"]]
        for name, parameter in zip(names, parameters, strict=True):
            for key, value in saved.get(name, {}).items():
                self.state[parameter][key] = value.detach().clone().to(parameter.device)

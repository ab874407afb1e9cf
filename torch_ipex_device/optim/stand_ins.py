"""float32 tensors that take the place of parameters of one group while the optimizer steps."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from .layouts import laid_out_as
from .master_weights import MasterWeights


class StandIns:
    """Context manager: inside, `optimizer` sees `parameters` of one group as float32, with float32 gradients and state.

    May be entered several times; the float32 tensors are the same ones. Parameters without a master stand for themselves.

    Args:
        optimizer: the optimizer; `group` is one of its groups.
        masters: where values come from and go to.
        group: its list of parameters is replaced by that of the stand-ins.
        parameters: some of the group's.
        fuse: sets the option `fused` of the group, and lays gradients and state out as the kernel needs them.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        masters: MasterWeights,
        group: dict[str, Any],
        parameters: Sequence[Tensor],
        fuse: bool,
    ) -> None:
        self._optimizer, self._masters, self._group, self._fuse = optimizer, masters, group, fuse
        self._pairs = [(p, self._stand_in(p) if p in masters else p) for p in parameters]

    def _stand_in(self, parameter: Tensor) -> Tensor:
        return nn.Parameter(self._masters.read(parameter), requires_grad=parameter.requires_grad)

    def __enter__(self) -> None:
        state = self._optimizer.state
        self._outside = (self._group["params"], self._group.get("fused"))
        for parameter, stand_in in self._pairs:
            if stand_in is not parameter:
                stand_in.grad = _gradient(parameter, stand_in)
        for parameter, stand_in in self._pairs:
            if stand_in is not parameter and parameter in state:
                state[stand_in] = state[parameter]
            if self._fuse:
                lay_out(stand_in, state.get(stand_in, {}))
        self._group["params"] = [stand_in for _, stand_in in self._pairs]
        if self._fuse:
            self._group["fused"] = True

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        state = self._optimizer.state
        parameters, fused = self._outside
        self._group["params"] = parameters
        if self._fuse:
            self._group["fused"] = fused
        for parameter, stand_in in self._pairs:
            if stand_in is not parameter:
                stand_in.grad = None
                if stand_in in state:
                    state[parameter] = state.pop(stand_in)
                self._masters.write(parameter, stand_in)


def _gradient(parameter: Tensor, stand_in: Tensor) -> Tensor | None:
    grad = parameter.grad
    if grad is None or grad.layout != torch.strided:
        return None if grad is None else grad.to(torch.float32)
    return laid_out_as(grad.to(torch.float32), stand_in.detach())


def lay_out(parameter: Tensor, state: dict[str, Any]) -> None:
    """Gives gradient and state the strides and device of the parameter.

    PyTorch's fused kernels walk all of them side by side through memory, and do not look at strides.
    """
    like = parameter.detach()
    if parameter.grad is not None:
        parameter.grad = laid_out_as(parameter.grad, like)
    for key, value in state.items():
        if isinstance(value, Tensor) and value.shape == like.shape:
            state[key] = laid_out_as(value, like).to(like.device)
        elif isinstance(value, Tensor) and value.dim() == 0:
            state[key] = value.to(like.device)

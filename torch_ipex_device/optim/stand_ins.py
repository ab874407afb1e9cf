"""float32 tensors that take the place of parameters of one group while the optimizer steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from .layouts import float32_like, laid_out_as
from .master_weights import Master
from .scratch import Scratch

Like = Callable[[Tensor], Tensor]
State = dict[Tensor, dict[str, Any]]


class StandIn:
    """What an optimizer sees of a parameter: itself, if it has no master.

    Attributes:
        parameter: of the model.
        tensor: what the optimizer sees, from `read` on.
    """

    def __init__(self, parameter: Tensor) -> None:
        self.parameter = self.tensor = parameter

    @property
    def count(self) -> int:
        """How many elements need float32 memory, for their values and once more for their gradients."""
        return 0

    def read(self, like: Like) -> None:
        """Makes the tensor. `like` gives memory for the values of its argument."""

    def take_gradient(self, like: Like) -> None:
        """Gives the tensor a gradient."""

    def take_state(self, state: State) -> None:
        """Gives the tensor the state of the parameter."""

    def leave(self, state: State) -> None:
        """Writes values and state of the tensor to the parameter."""


class WholeStandIn(StandIn):
    """A parameter with a master, as float32."""

    def __init__(self, parameter: Tensor, master: Master) -> None:
        super().__init__(parameter)
        self._master = master

    @property
    def count(self) -> int:
        return self.parameter.numel()

    def read(self, like: Like) -> None:
        self.tensor = nn.Parameter(self._master.read(like), requires_grad=self.parameter.requires_grad)

    def take_gradient(self, like: Like) -> None:
        self.tensor.grad = as_float32(self.parameter.grad, self.tensor, like)

    def take_state(self, state: State) -> None:
        if self.parameter in state:
            state[self.tensor] = state[self.parameter]

    def leave(self, state: State) -> None:
        self.tensor.grad = None
        if self.tensor in state:
            state[self.parameter] = state.pop(self.tensor)
        self._master.write(self.tensor)


def stand_in_of(parameter: Tensor, master: Master | None) -> StandIn:
    """Returns what an optimizer sees of a parameter: its float32 values if it has a master, otherwise itself."""
    return StandIn(parameter) if master is None else WholeStandIn(parameter, master)


class StandIns:
    """Context manager: inside, `optimizer` sees members of one group as float32, with float32 gradients and state.

    May be entered several times; the float32 tensors are the same ones.

    Args:
        optimizer: the optimizer; `group` is one of its groups.
        group: its list of parameters is replaced by that of the stand-ins.
        members: what to put there.
        fuse: sets the option `fused` of the group, and lays gradients and state out as the kernel needs them.
        scratch: memory for the float32 tensors, if the optimizer keeps none of them; otherwise None.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        group: dict[str, Any],
        members: Sequence[StandIn],
        fuse: bool,
        scratch: Scratch | None,
    ) -> None:
        self._optimizer, self._group, self._members, self._fuse = optimizer, group, members, fuse
        self._like: Like = float32_like
        if scratch is not None:
            scratch.begin(members[0].parameter.device)
            self._like = scratch.like
        for member in members:
            member.read(self._like)

    def __enter__(self) -> None:
        state = self._optimizer.state
        self._outside = (self._group["params"], self._group.get("fused"))
        for member in self._members:
            member.take_gradient(self._like)
        for member in self._members:
            member.take_state(state)
            if self._fuse:
                lay_out(member.tensor, state.get(member.tensor, {}))
        self._group["params"] = [member.tensor for member in self._members]
        if self._fuse:
            self._group["fused"] = True

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._group["params"], fused = self._outside
        if self._fuse:
            self._group["fused"] = fused
        for member in self._members:
            member.leave(self._optimizer.state)


def as_float32(grad: Tensor | None, stand_in: Tensor, like: Like) -> Tensor | None:
    """Returns a gradient for a stand-in."""
    if grad is None or grad.layout != torch.strided:
        return None if grad is None else grad.to(torch.float32)
    if grad.dtype == torch.float32 and grad.stride() == stand_in.stride():
        return grad
    return like(stand_in).copy_(grad.detach())


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

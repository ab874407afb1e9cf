"""Large parameters in pieces, for optimizers that update every element by itself."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from .layouts import laid_out_as, stretch
from .master_weights import Master
from .stand_ins import Like, StandIn, State, as_float32, stand_in_of


def pieces_of(parameter: Tensor, master: Master, size: int) -> list[StandIn]:
    """Returns stand-ins for stretches of a parameter's memory, or one for all if the parameter or its gradient has none.

    Each is to be entered once. Numbers in the state, such as the count of steps, change when the last one is left.

    Args:
        parameter: with a gradient.
        master: of the parameter.
        size: elements of a piece.
    """
    grad, count = parameter.grad, parameter.numel()
    if grad is None or grad.layout != torch.strided or not master.is_dense:
        return [stand_in_of(parameter, master)]
    whole = _Whole(parameter, master, -(-count // size))
    return [_Piece(whole, slice(first, min(first + size, count))) for first in range(0, count, size)]


class _Whole:
    """What the pieces of one parameter share.

    Attributes:
        parameter: of the model.
        master: its values.
        open: how many pieces are still to be updated.
        after: its state after the step; None if there is none.
    """

    def __init__(self, parameter: Tensor, master: Master, count: int) -> None:
        self.parameter, self.master, self.open = parameter, master, count
        self.after: dict[str, Any] | None = None

    @cached_property
    def grad(self) -> Tensor:
        """The gradient as the parameter lies in memory."""
        assert self.parameter.grad is not None
        return laid_out_as(self.parameter.grad.detach(), self.master.low)


class _Piece(StandIn):
    def __init__(self, whole: _Whole, place: slice) -> None:
        super().__init__(whole.parameter)
        self._whole, self._place = whole, place
        self._state: dict[str, Any] = {}

    @property
    def count(self) -> int:
        return self._place.stop - self._place.start

    def read(self, like: Like) -> None:
        self._master = self._whole.master.stretch(self._place)
        self.tensor = nn.Parameter(self._master.read(like), requires_grad=self.parameter.requires_grad)

    def take_gradient(self, like: Like) -> None:
        self.tensor.grad = as_float32(stretch(self._whole.grad, self._place), self.tensor, like)

    def take_state(self, state: State) -> None:
        if self.parameter not in state:
            return
        before = state[self.parameter]
        for key, value in before.items():
            if not isinstance(value, Tensor):
                self._state[key] = value
            elif value.shape != self.parameter.shape:
                self._state[key] = value.clone()  # a number that every piece counts up
            else:
                before[key] = laid_out_as(value, self._whole.master.low)
                self._state[key] = stretch(before[key], self._place)
        state[self.tensor] = dict(self._state)

    def leave(self, state: State) -> None:
        whole, self.tensor.grad = self._whole, None
        if self.tensor in state:
            self._keep(state.pop(self.tensor), state.get(self.parameter, {}))
        self._master.write(self.tensor)
        whole.open -= 1
        if whole.open == 0 and whole.after is not None:
            state[self.parameter] = whole.after

    def _keep(self, made: dict[str, Any], before: dict[str, Any]) -> None:
        """Puts the state that a step made of a piece where the state of the parameter is."""
        whole = self._whole
        if whole.after is None:
            whole.after = dict(before)
        for key, value in made.items():
            if not isinstance(value, Tensor) or value.shape != self.tensor.shape:
                whole.after[key] = value
            elif value is not self._state.get(key):
                if key not in whole.after:
                    whole.after[key] = torch.empty_like(whole.master.low, dtype=value.dtype)
                stretch(whole.after[key], self._place).copy_(value)

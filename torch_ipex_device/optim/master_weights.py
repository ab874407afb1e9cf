"""The float32 values of parameters that are bfloat16 or float16 to the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .layouts import float32_like, is_dense, stretch
from .split_float import cat_into, round_to_bfloat16, split_float_bfloat16, split_into

_LOW = (torch.bfloat16, torch.float16)


class Master:
    """The float32 values of one parameter, or of a stretch of it.

    Attributes:
        low: the values of the model, bfloat16 or float16.
        stored: what is kept beside them: float32 values, or 16 more bits (int16).
    """

    def __init__(self, low: Tensor, stored: Tensor) -> None:
        self.low, self.stored = low, stored

    def read(self, make: Callable[[Tensor], Tensor] = float32_like) -> Tensor:
        """Returns the values, exactly.

        Args:
            make: gives the memory for values that are not there as float32: a tensor of that dtype, shaped as its argument.

        Returns:
            float32, shape and strides of the parameter. May share memory with the master: not to be written.
        """
        low, stored = self.low, self.stored
        if stored.dtype == torch.int16:
            value = make(low)
            cat_into(low, stored, value)
            return value
        rounded = _rounded(stored, low.dtype)
        if not torch.equal(rounded, low):
            stored.copy_(torch.where(rounded == low, stored, low.float()))
        return stored

    def write(self, value: Tensor) -> None:
        """Sets the values.

        Args:
            value: of the same shape; other dtypes are converted to float32.
        """
        low, stored = self.low, self.stored
        value = value.detach().to(low.device, torch.float32)
        if stored.dtype == torch.float32 and stored.data_ptr() != value.data_ptr():
            stored.copy_(value)
        if low.dtype == torch.bfloat16:
            split_into(value, low, stored if stored.dtype == torch.int16 else None)
        else:
            low.copy_(value)

    @property
    def is_dense(self) -> bool:
        """Whether the values fill a stretch of memory, and what is kept beside them lies as they do."""
        return self.stored.stride() == self.low.stride() and is_dense(self.low)

    def stretch(self, place: slice) -> Master:
        """Returns some elements of a dense master, counted in the order of memory."""
        return Master(stretch(self.low, place), stretch(self.stored, place))


class MasterWeights:
    """Parameters of low precision, and what is needed beside them to know their float32 values.

    For each parameter either 16 more bits (int16; bfloat16 only) or the float32 values themselves. The model's parameter
    always is the master rounded: bfloat16 to nearest with halves away from zero, float16 to nearest with halves to even.
    If the program writes into a parameter, the master follows.

    May be copied and pickled, together with the model or without it.

    Example:
        >>> layer = torch.nn.Linear(1, 1, bias=False)
        >>> layer.weight.data.fill_(1 / 3)
        tensor([[0.3333]])
        >>> masters = MasterWeights()
        >>> masters.cast(layer.weight, torch.bfloat16, split=True)
        >>> layer.weight.item(), masters.read(layer.weight).item()
        (0.333984375, 0.3333333432674408)
    """

    def __init__(self) -> None:
        self._stored: dict[Tensor, Tensor] = {}

    def __contains__(self, parameter: object) -> bool:
        return isinstance(parameter, Tensor) and self._find(parameter) is not None

    def _find(self, parameter: Tensor) -> Tensor | None:
        """Returns what is stored for a parameter, where and as the parameter is by now: `model.to(...)` may move it."""
        stored = self._stored.get(parameter)
        if stored is None:
            return None
        if parameter.dtype not in ((torch.bfloat16,) if stored.dtype == torch.int16 else _LOW):
            del self._stored[parameter]
            return None
        if stored.device != parameter.device:
            stored = self._stored[parameter] = stored.to(parameter.device)
        return stored

    @torch.no_grad()
    def cast(self, parameter: Tensor, dtype: torch.dtype, split: bool) -> None:
        """Gives a parameter another dtype, in place; the object, its hooks and its place in modules stay.

        Args:
            parameter: float32, bfloat16 or float16.
            dtype: bfloat16 or float16, which get a master; float32, which needs none.
            split: whether a bfloat16 parameter keeps 16 bits instead of float32 values.
        """
        value, grad = self.read(parameter), parameter.grad
        if dtype == torch.float32:
            low = value
            self._stored.pop(parameter, None)
        elif dtype == torch.bfloat16 and split:
            low, self._stored[parameter] = split_float_bfloat16(value)
        else:
            low, self._stored[parameter] = _rounded(value, dtype), value
        parameter.grad = None
        parameter.data = low
        _set_grad_dtype(parameter)
        if grad is not None:
            parameter.grad = grad.to(parameter.grad_dtype)

    def of(self, parameter: Tensor) -> Master | None:
        """Returns the master of a parameter, or None if it has none."""
        stored = self._find(parameter)
        return None if stored is None else Master(parameter.detach(), stored)

    def read(self, parameter: Tensor) -> Tensor:
        """Returns the float32 values of a parameter, exactly.

        Args:
            parameter: any floating point one; without a master its own values are returned as float32.

        Returns:
            float32, shape and strides of the parameter. May share memory with the master: not to be written.
        """
        master = self.of(parameter)
        return parameter.detach().float() if master is None else master.read()

    def write(self, parameter: Tensor, value: Tensor) -> None:
        """Sets the values of a parameter and its master.

        Args:
            parameter: any floating point one.
            value: of the same shape; other dtypes are converted to float32.
        """
        master = self.of(parameter)
        if master is None:
            parameter.detach().copy_(value.detach())
        else:
            master.write(value)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for parameter in self._stored:
            _set_grad_dtype(parameter)  # copies of a parameter do not keep it


def _rounded(value: Tensor, dtype: torch.dtype) -> Tensor:
    return round_to_bfloat16(value) if dtype == torch.bfloat16 else value.to(dtype)


def _set_grad_dtype(parameter: Tensor) -> None:
    # A loss scaler divides gradients by the scale; in float16 the small ones would become zero there.
    wanted = torch.float32 if parameter.dtype == torch.float16 else parameter.dtype
    if parameter.grad_dtype != wanted:
        parameter.grad_dtype = wanted

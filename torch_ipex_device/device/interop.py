"""Tensors on ipex and CPU tensors over the same memory."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from torch_ipex_device import _C
from torch_ipex_device.core.errors import error

from ._utils import TYPE


def as_cpu(input: Tensor) -> Tensor:
    """Returns a CPU tensor over the memory of an ipex tensor, without a copy.

    Writes through either are seen by both. The memory lives as long as either does. The result is detached: it needs
    no gradient and has no history.

    Args:
        input: tensor on ipex, of any dtype and strides.

    Returns:
        CPU tensor of the same shape, strides and dtype.

    Raises:
        TypeError: E101, not a tensor.
        ValueError: E103, a tensor that is not on ipex.

    Example:
        >>> x = torch.zeros(3, device="ipex")
        >>> torch.ipex.as_cpu(x).numpy()[1] = 7
        >>> x.tolist()
        [0.0, 7.0, 0.0]
    """
    return _C.as_cpu(_on(input, TYPE, "as_cpu"))


def from_cpu(input: Tensor) -> Tensor:
    """Returns an ipex tensor over the memory of a CPU tensor, without a copy; the inverse of `as_cpu`.

    Args:
        input: CPU tensor, of any dtype and strides.

    Returns:
        Tensor on ipex of the same shape, strides and dtype, detached.

    Raises:
        TypeError: E101, not a tensor.
        ValueError: E103, a tensor that is not on the CPU.

    Example:
        >>> array = numpy.zeros(3, dtype="float32")
        >>> torch.ipex.from_cpu(torch.from_numpy(array)).fill_(2).sum().item(), array[0].item()
        (6.0, 2.0)
    """
    return _C.from_cpu(_on(input, "cpu", "from_cpu"))


def _on(input: Any, device_type: str, where: str) -> Tensor:
    if not isinstance(input, Tensor):
        raise error("E101", where, f"input is {type(input).__name__}; expected a tensor on {device_type}")
    if input.device.type != device_type:
        raise error("E103", where, f"input is on {input.device}; expected a tensor on {device_type}")
    return input

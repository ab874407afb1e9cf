"""A float32 tensor as bfloat16 numbers and the 16 bits that they lack, and back."""

from __future__ import annotations

import torch
from torch import Tensor

from torch_ipex_device.core.errors import error


def split_into(tensor: Tensor, top: Tensor, bits: Tensor | None) -> None:
    """Writes the nearest bfloat16 numbers of float32 `tensor` into `top` and, unless None, the difference into `bits`."""
    torch.ops.torch_ipex.split_float(tensor, top, bits)


def cat_into(top: Tensor, bits: Tensor, value: Tensor) -> None:
    """Writes the float32 numbers of `top` and `bits` into `value`."""
    torch.ops.torch_ipex.cat_float(top, bits, value)


def round_to_bfloat16(tensor: Tensor) -> Tensor:
    """Returns the nearest bfloat16 numbers of a float32 tensor, halves away from zero, NaN as NaN."""
    top = torch.empty_like(tensor, dtype=torch.bfloat16)
    split_into(tensor, top, None)
    return top


def split_float_bfloat16(tensor: Tensor) -> tuple[Tensor, Tensor]:
    """Splits a float32 tensor into bfloat16 numbers and 16 more bits.

    The archived extension cut the lower bits off; here the bfloat16 numbers are the nearest ones, halves away from zero,
    so that a model computes with half the rounding error and without a drift towards zero.

    Args:
        tensor: float32, any shape and strides.

    Returns:
        The bfloat16 numbers, and int16 bits, both of the shape of `tensor`.

    Raises:
        TypeError: E101, another dtype.

    Example:
        >>> top, bits = ipex.optim.split_float_bfloat16(torch.tensor([1.0, 1 / 3]))
        >>> top
        tensor([1.0000, 0.3340], dtype=torch.bfloat16)
        >>> ipex.optim.cat_bfloat16_float(top, bits)
        tensor([1.0000, 0.3333])
    """
    if tensor.dtype != torch.float32:
        raise error("E101", "split_float_bfloat16", f"got {tensor.dtype}; accepted: torch.float32")
    tensor = tensor.detach()
    top, bits = torch.empty_like(tensor, dtype=torch.bfloat16), torch.empty_like(tensor, dtype=torch.int16)
    split_into(tensor, top, bits)
    return top, bits


def cat_bfloat16_float(top: Tensor, bits: Tensor) -> Tensor:
    """Joins what `split_float_bfloat16` gave: the same float32 numbers, bit by bit (a NaN comes back as a NaN).

    If somebody wrote other numbers into `top` in between, the result rounds to those.

    Args:
        top: bfloat16, any shape.
        bits: int16, same shape.

    Returns:
        float32, same shape.

    Raises:
        TypeError: E101, other dtypes.
        ValueError: E103, other shapes.

    Example:
        >>> ipex.optim.cat_bfloat16_float(torch.tensor([1.0]).bfloat16(), torch.tensor([1], dtype=torch.int16)) - 1
        tensor([1.1921e-07])
    """
    if (top.dtype, bits.dtype) != (torch.bfloat16, torch.int16):
        raise error(
            "E101", "cat_bfloat16_float", f"got {top.dtype}, {bits.dtype}; accepted: torch.bfloat16, torch.int16"
        )
    if top.shape != bits.shape:
        raise error("E103", "cat_bfloat16_float", f"got bits of {list(bits.shape)}; accepted: {list(top.shape)}")
    top = top.detach()
    value = torch.empty_like(top, dtype=torch.float32)
    cat_into(top, bits, value)
    return value

"""A float32 tensor as bfloat16 numbers and the 16 bits that they lack, and back."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from torch_ipex_device.core.errors import error

from .layouts import flat, is_dense, laid_out_as

# The 32 bits of a float32 number are those of a bfloat16 number, times 2**16, plus a difference that 16 bits hold:
#
#   1.00390625 + 2**-20     0x3f808008 = 0x3f81 * 2**16 - 0x7ff8     top = 1.0078125, bits = -0x7ff8
#
# Halves round away from zero. To even, the difference of a half would be 0x8000 or -0x8000, one value too many.
_NAN = 0x7FC0

# Half a megabyte of float32 stays in the cache from one operator to the next.
_BLOCK = 2**17


def split_into(tensor: Tensor, top: Tensor, bits: Tensor | None) -> None:
    """Writes the nearest bfloat16 numbers of float32 `tensor` into `top` and, unless None, the difference into `bits`."""
    if not is_dense(top):
        dense = torch.empty_like(top)
        split_into(tensor, dense, bits)
        top.copy_(dense)
        return
    tensor = laid_out_as(tensor, top)
    difference = None if bits is None else laid_out_as(bits, top)
    sources = flat(tensor).split(_BLOCK)
    tops = flat(top).view(torch.int16).split(_BLOCK)
    differences = (None,) * len(tops) if difference is None else flat(difference).split(_BLOCK)
    whole, total = torch.empty_like(sources[0], dtype=torch.int32), 0.0
    for source, high, low in zip(sources, tops, differences, strict=True):
        pattern = source.view(torch.int32)
        high.copy_(torch.add(pattern, 0x8000, out=whole[: pattern.numel()]).bitwise_right_shift_(16))
        if low is not None:
            low.copy_(pattern)  # the lower 16 bits, which are the difference as int16 reads them
        total += float(source.sum())
    if bits is not None and difference is not None and difference is not bits:
        bits.copy_(difference)
    if not math.isfinite(total):
        top.view(torch.int16).masked_fill_(tensor.isnan(), _NAN)


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
    tops = flat(laid_out_as(top, value)).view(torch.int16).split(_BLOCK)
    differences = flat(laid_out_as(bits, value)).split(_BLOCK)
    whole, total = torch.empty_like(tops[0], dtype=torch.int32), 0.0
    for joined, high, low in zip(flat(value).split(_BLOCK), tops, differences, strict=True):
        joined.view(torch.int32).copy_(low).add_(whole[: high.numel()].copy_(high), alpha=2**16)
        total += float(joined.sum())
    if not math.isfinite(total):
        # Zero less a difference is the pattern of a NaN. No split gives that, but `weight.zero_()` between two steps does.
        value = torch.where(value.isnan() & ~top.isnan(), top.float(), value)
    return value

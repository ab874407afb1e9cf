"""Tensors that lie in memory in another order of dimensions than PyTorch shows, and what they are equal to."""

from __future__ import annotations

import torch

from torch_ipex_device import _C

SHAPE = (2, 6, 4, 5)


def plain(shape: tuple[int, ...] = SHAPE) -> torch.Tensor:
    """Returns a CPU tensor with the numbers 0, 1, 2, ..."""
    return torch.arange(float(torch.Size(shape).numel())).reshape(shape)


def physical(shape: tuple[int, ...] = SHAPE) -> torch.Tensor:
    """Returns the same values on ipex, contiguous to PyTorch, channels-last in memory, without plain bytes."""
    tensor = _C.with_order(plain(shape).to("ipex"), [0, *range(2, len(shape)), 1])
    assert not _C.physical_form(tensor)["plain"]
    return tensor


def is_plain(tensor: torch.Tensor) -> bool:
    """Returns whether the plain bytes exist."""
    return _C.physical_form(tensor)["plain"]


def physical_strides(tensor: torch.Tensor) -> list[int] | None:
    """Returns the strides of the tensor in the physical bytes; None without such."""
    return _C.physical_form(tensor)["strides"]

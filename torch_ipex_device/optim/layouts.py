"""Strides of tensors that are walked side by side through memory."""

from __future__ import annotations

import torch
from torch import Tensor


def is_dense(tensor: Tensor) -> bool:
    """Returns whether the elements fill a stretch of memory without gaps and overlaps, in any order."""
    return tensor.is_contiguous() or torch.empty_like(tensor, device="meta").stride() == tensor.stride()


def laid_out_as(tensor: Tensor, like: Tensor) -> Tensor:
    """Returns `tensor`, or a copy of it if its strides differ from those of the dense tensor `like`."""
    if tensor.stride() == like.stride():
        return tensor
    return torch.empty_like(like, dtype=tensor.dtype, requires_grad=False).copy_(tensor)


def flat(tensor: Tensor) -> Tensor:
    """Returns a dense tensor as one row, in the order of memory."""
    return tensor.as_strided((tensor.numel(),), (1,))

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


def stretch(tensor: Tensor, place: slice) -> Tensor:
    """Returns some elements of a dense tensor, counted in the order of memory, as one row."""
    return tensor.as_strided((place.stop - place.start,), (1,), tensor.storage_offset() + place.start)


def float32_like(tensor: Tensor) -> Tensor:
    """Returns new memory of the shape of `tensor`, uninitialised, with its strides where these are dense."""
    return torch.empty_like(tensor, dtype=torch.float32, requires_grad=False)

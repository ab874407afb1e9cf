"""`interaction`: the dot products between feature vectors that recommendation models use."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from torch_ipex_device.core.errors import error


def interaction(*args: Tensor) -> Tensor:
    """Returns the first features and the dot products between all pairs of feature vectors.

        result[b] = [x[b, 0], x[b, 1] . x[b, 0], x[b, 2] . x[b, 0], x[b, 2] . x[b, 1], ...]

    Args:
        args: the features, each [B, D] or, for several vectors in one tensor, [B, k * D]; D is the width of the first.
            All of one floating point dtype, on one device.

    Returns:
        [B, D + N * (N - 1) / 2] for N feature vectors, with a gradient if an input has one.

    Raises:
        TypeError: E101, an argument is no tensor, or of another dtype than the first.
        ValueError: E103, no argument, one that has not 2 dimensions, another number of rows, or a width that does not fit.
        RuntimeError: E102, tensors on different devices.

    Source: Naumov et al., "Deep Learning Recommendation Model for Personalization and Recommendation Systems", 2019.

    Example:
        >>> ipex.nn.functional.interaction(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]])).tolist()
        [[1.0, 2.0, 11.0]]
    """
    batch, width = _check(args)
    count = sum(each.size(1) for each in args) // width
    vectors = torch.cat(args, 1).view(batch, count, width)
    products = torch.bmm(vectors, vectors.transpose(1, 2)).view(batch, count * count)
    pairs = _pairs(count).to(products.device)
    return torch.cat([args[0], products.index_select(1, pairs)], 1)


def _check(args: tuple[Tensor, ...]) -> tuple[int, int]:
    if not args:
        raise error("E103", "interaction", "got no tensor; accepted: one or more of shape [B, D]")
    for number, each in enumerate(args):
        if not isinstance(each, Tensor):
            raise error("E101", "interaction", f"argument {number} is {type(each).__name__}; accepted: torch.Tensor")
        if each.dim() != 2:
            raise error("E103", "interaction", f"argument {number} is {list(each.shape)}; accepted: 2 dimensions")
    batch, width = args[0].shape
    if width == 0:
        raise error("E103", "interaction", f"argument 0 is {[batch, width]}; accepted: [B, D] with D of 1 or more")
    for number, each in enumerate(args[1:], 1):
        if each.dtype != args[0].dtype:
            raise error("E101", "interaction", f"argument {number} is {each.dtype}; supported: {args[0].dtype}")
        if each.size(0) != batch or each.size(1) % width:
            accepted = f"{batch} rows of a multiple of {width} columns"
            raise error("E103", "interaction", f"argument {number} is {list(each.shape)}; accepted: {accepted}")
    return batch, width


@functools.lru_cache(maxsize=16)
def _pairs(count: int) -> Tensor:
    """Where the strict lower triangle of a [count, count] matrix is, row by row."""
    rows, columns = torch.tril_indices(count, count, -1)
    return rows * count + columns

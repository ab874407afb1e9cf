"""Uses weights often enough that copies of them are kept, and tells what is kept."""

from __future__ import annotations

import torch
from torch import Tensor

from .cases import OPS

ROWS, COLUMNS = 32, 64
BYTES = ROWS * COLUMNS * 4
ONES = torch.ones(2, COLUMNS)


def use(weight: Tensor, calls: int = 3) -> Tensor:
    """Calls linear on ones, so that the result holds the sums of rows of the weight."""
    ones = torch.ones(2, weight.shape[-1], dtype=weight.dtype)
    with torch.no_grad():
        for _ in range(calls):
            result = OPS.linear(ones, weight)
    return result


def assert_used_as_it_is(weight: Tensor) -> None:
    """Asserts that results are those of what the weight holds now, in the first call and in later ones."""
    expected = weight.detach().double().sum(-1).expand(2, -1)
    for _ in range(3):
        torch.testing.assert_close(use(weight, 1).double(), expected, rtol=1e-4, atol=1e-4)


def kept() -> int:
    """Returns the bytes of memory that ipex holds; there is nothing but copies when no test holds a result."""
    return torch.ipex.memory_allocated()

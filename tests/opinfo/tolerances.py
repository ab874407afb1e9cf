"""Factors on the tolerances of torch.testing.assert_close for operators computed by another algorithm than on CPU."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Tolerance:
    """A factor on rtol and atol of the given dtypes, and why the default is too tight."""

    coefficient: float
    dtypes: tuple[torch.dtype, ...]
    reason: str


FLOAT32 = (torch.float32,)
ATTENTION = "softmax sums a row in another order than the fused attention of CPU"
PRODUCTS = "oneDNN adds products in another order than MKL"

TOLERANCES: dict[str, Tolerance] = {
    "__rmatmul__": Tolerance(4, FLOAT32, PRODUCTS),
    "addbmm": Tolerance(4, FLOAT32, PRODUCTS),
    "linalg.householder_product": Tolerance(32, FLOAT32, f"{PRODUCTS}; its gradient divides by small numbers"),
    "linalg.multi_dot": Tolerance(2, FLOAT32, PRODUCTS),
    "matmul": Tolerance(4, FLOAT32, PRODUCTS),
    "nn.MultiheadAttention": Tolerance(4, FLOAT32, ATTENTION),
    "nn.functional.scaled_dot_product_attention": Tolerance(8, FLOAT32, f"{ATTENTION}; {PRODUCTS}"),
}
"""By the name of the operator or module."""


def coefficient(name: str, dtype: torch.dtype) -> float:
    """The factor on the tolerances of operator or module `name` in `dtype`, 1 unless the table says otherwise."""
    row = TOLERANCES.get(name)
    return row.coefficient if row is not None and dtype in row.dtypes else 1.0

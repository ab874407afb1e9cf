"""Factors on the tolerances of torch.testing.assert_close for operators computed by another algorithm than on CPU."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from torch_ipex_device.testing.compare import Coefficient


@dataclass(frozen=True)
class Tolerance:
    """A factor on rtol and atol of the given dtypes, and why the default is too tight."""

    coefficient: Coefficient
    dtypes: tuple[torch.dtype, ...]
    reason: str


FLOAT32 = (torch.float32,)
COMPLEX = (torch.float32, torch.complex64)
HALF = (torch.float16, torch.bfloat16)
ATTENTION = "softmax sums a row in another order than the fused attention of CPU"
PRODUCTS = "oneDNN adds products in another order than MKL"
CONVOLUTION = "CPU has no oneDNN for these shapes, and another order of summation"
SUMS = "sums are taken in another order than on CPU"
RECURRENT = "our vector functions round otherwise than MKL's, step after step"
ROUNDED = "CPU rounds intermediate values to the dtype, ours are float32"

BFLOAT16 = (torch.bfloat16,)
WEAKER = "CPU has no oneDNN for bfloat16 without AVX-512 and adds in bfloat16; ours adds in float32 and rounds once"

TOLERANCES: dict[str, Tolerance | tuple[Tolerance, ...]] = {
    "__rmatmul__": Tolerance(4.0, FLOAT32, PRODUCTS),
    "_foreach_add": Tolerance((2.0, 5000.0), HALF, f"{ROUNDED}: alpha times the tensor"),
    "_foreach_rsqrt": Tolerance((2.0, 100.0), HALF, ROUNDED),
    "_foreach_sub": Tolerance((2.0, 5000.0), HALF, f"{ROUNDED}: alpha times the tensor"),
    "add": Tolerance((2.0, 5000.0), HALF, f"{ROUNDED}: alpha times the tensor"),
    "addbmm": Tolerance(4.0, FLOAT32, PRODUCTS),
    "cdist": Tolerance(16.0, FLOAT32, f"{PRODUCTS}; its gradient divides by small distances"),
    "cov": Tolerance(64.0, FLOAT32, f"{SUMS}, and the samples have means far larger than their deviations"),
    "ldexp": Tolerance(4.0, FLOAT32, SUMS),
    "linalg.householder_product": Tolerance(32.0, FLOAT32, f"{PRODUCTS}; its gradient divides by small numbers"),
    "linalg.lstsq": Tolerance(4.0, FLOAT32, f"{PRODUCTS}; its gradient multiplies by a pseudo-inverse"),
    "linalg.multi_dot": Tolerance(2.0, FLOAT32, PRODUCTS),
    "log_softmax": Tolerance((1.0, 2000.0), HALF, f"{ROUNDED}: the logarithm of the sum plus the maximum"),
    "masked.log_softmax": Tolerance((1.0, 2000.0), HALF, f"{ROUNDED}: the logarithm of the sum plus the maximum"),
    "matmul": Tolerance(4.0, FLOAT32, PRODUCTS),
    "nn.GRU": Tolerance(4.0, FLOAT32, RECURRENT),
    "nn.MultiheadAttention": Tolerance(4.0, FLOAT32, ATTENTION),
    "nn.TransformerDecoderLayer": Tolerance(4.0, FLOAT32, ATTENTION),
    "nn.functional.adaptive_avg_pool3d": Tolerance((8.0, 5000.0), BFLOAT16, "CPU adds in bfloat16, ours in float32"),
    "nn.functional.conv1d": Tolerance((8.0, 100_000.0), BFLOAT16, WEAKER),
    "nn.functional.conv2d": Tolerance((8.0, 100_000.0), BFLOAT16, WEAKER),
    "nn.functional.conv3d": (
        Tolerance(40.0, COMPLEX, CONVOLUTION),
        Tolerance((8.0, 100_000.0), BFLOAT16, WEAKER),
    ),
    "nn.functional.conv_transpose1d": Tolerance((8.0, 100_000.0), BFLOAT16, WEAKER),
    "nn.functional.conv_transpose2d": Tolerance((8.0, 100_000.0), BFLOAT16, WEAKER),
    "nn.functional.conv_transpose3d": (
        Tolerance(16.0, COMPLEX, CONVOLUTION),
        Tolerance((8.0, 200_000.0), BFLOAT16, WEAKER),
    ),
    "nn.functional.cross_entropy": Tolerance((2.0, 2000.0), HALF, f"{ROUNDED}: log_softmax"),
    "nn.functional.interpolate": Tolerance((8.0, 5000.0), BFLOAT16, "area: CPU adds in bfloat16, ours in float32"),
    "nn.functional.linear_cross_entropy": Tolerance((2.0, 2000.0), HALF, f"{ROUNDED}: log_softmax"),
    "nn.functional.mse_loss": Tolerance(2.0, HALF, f"{ROUNDED}: the difference"),
    "nn.functional.scaled_dot_product_attention": (
        Tolerance(16.0, FLOAT32, f"{ATTENTION}; {PRODUCTS}"),
        Tolerance((2.0, 10_000.0), BFLOAT16, f"{ROUNDED}; gradients of large operands"),
    ),
    "rsqrt": Tolerance((2.0, 100.0), HALF, ROUNDED),
    "sub": Tolerance((2.0, 5000.0), HALF, f"{ROUNDED}: alpha times the tensor"),
}
"""By the name of the operator or module."""


def rows_of(name: str) -> tuple[Tolerance, ...]:
    """The rows of operator or module `name`."""
    rows = TOLERANCES.get(name, ())
    return rows if isinstance(rows, tuple) else (rows,)


def coefficient(name: str, dtype: torch.dtype) -> Coefficient:
    """The factor on the tolerances of operator or module `name` in `dtype`, 1 unless the table says otherwise."""
    found = [row for row in rows_of(name) if dtype in row.dtypes]
    return found[0].coefficient if found else 1.0

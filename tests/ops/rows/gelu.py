"""Rows of gelu and its backward."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from ..row import INFINITE, NEGATIVE_INFINITE, NOT_A_NUMBER, Invalid, Row, one

aten = torch.ops.aten


_GELU: dict[str, Any] = {
    "inputs": one,
    "shapes": ((), (1,), (7,), (3, 17), (2, 3, 4, 5), (4, 8, 128)),
    "empty": ((0,), (3, 0, 2)),
    "benchmark": ((128, 3072), (8, 384, 3072), (1024,), (16, 64, 56, 56)),
    "native_layouts": ("contiguous", "transposed", "with offset"),
}

ROWS = (
    Row(
        operator="aten::gelu",
        call=aten.gelu.default,
        native={
            "exact": lambda make, shape: (make(shape),),
            "tanh": lambda make, shape: (make(shape), {"approximate": "tanh"}),
        },
        function=lambda src: F.gelu(src) + F.gelu(src, approximate="tanh"),
        autocast=torch.bfloat16,
        invalid=(
            Invalid(lambda make, shape: (make(shape), {"approximate": "erf"}), (2, 3), RuntimeError, "approximate"),
        ),
        elementwise=True,
        **_GELU,
    ),
    Row(
        operator="aten::gelu_backward",
        call=aten.gelu_backward.default,
        native={
            "exact": lambda make, shape: (make(shape), make(shape)),
            "tanh": lambda make, shape: (make(shape), make(shape), {"approximate": "tanh"}),
        },
        other={
            "different strides": lambda make, shape: (make((*shape[:-2], shape[-1], shape[-2])).mT, make(shape)),
        },
        function=lambda src: F.gelu(src) + F.gelu(src, approximate="tanh"),
        autocast=torch.bfloat16,
        hostile_other=(*NOT_A_NUMBER, *INFINITE, *NEGATIVE_INFINITE, "huge"),
        elementwise=True,
        **_GELU,
    ),
)

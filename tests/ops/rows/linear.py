"""Rows of linear, forward and backward."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F

from ..row import Arguments, Invalid, Make, Row, Shape

aten = torch.ops.aten

IN = 24  # features of src; those of the result are the last dimension of a shape


def _linear_arguments(bias: bool, in_features: int = IN) -> Arguments:
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        weight = make((shape[-1], in_features))
        return make((*shape[:-1], in_features)), weight, make(shape[-1:]) if bias else None

    return arguments


def _linear_backward_arguments(*mask: bool) -> Arguments:
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        return make((*shape[:-1], IN)), make(shape), make((shape[-1], IN)), list(mask)

    return arguments


def _linear_backward(src: Any, diff_dst: Any, weight: Any, mask: list[bool]) -> tuple[torch.Tensor | None, ...]:
    """The operator, which has no CPU kernel: there its formula."""
    if any(tensor.device.type != "cpu" for tensor in (src, diff_dst, weight)):
        return aten.linear_backward.default(src, diff_dst, weight, mask)
    count = math.prod(src.shape[:-1])
    rows = diff_dst.reshape(count, diff_dst.shape[-1])
    return (
        diff_dst.contiguous() @ weight if mask[0] else None,
        rows.t().contiguous() @ src.reshape(count, src.shape[-1]) if mask[1] else None,
        rows.sum(0, dtype=rows.dtype) if mask[2] else None,
    )


_LINEAR: dict[str, Any] = {
    "shapes": ((5,), (1, 1), (3, 17), (130, 70), (2, 1, 8), (2, 3, 4, 33), (4, 8, 128)),
    "empty": ((0, 4), (2, 0, 4), (4, 0)),
    "benchmark": ((1, 64), (128, 768), (8, 384, 768), (512, 3072)),
    "autocast": torch.bfloat16,
    "inputs": lambda shape: ((*shape[:-1], IN), (shape[-1], IN), shape[-1:]),
    "function": F.linear,
    "coefficient": (8, "sums of products, in another order"),
    "hostile_undefined": ("huge",),
}

ROWS = (
    Row(
        operator="aten::linear",
        call=aten.linear.default,
        native={
            "bias": _linear_arguments(True),
            "no bias": _linear_arguments(False),
            "many features": _linear_arguments(True, 96),
        },
        other={
            "features do not fit without elements": lambda make, shape: (make((0, 3)), make((4, 3)), None),
            "bias of one number": lambda make, shape: (make((3, 8)), make((4, 8)), make((1,))),
        },
        invalid=(
            Invalid(
                lambda make, shape: (make(shape), make((4, 9)), None), (2, 3), RuntimeError, "cannot be multiplied"
            ),
        ),
        **_LINEAR,
    ),
    Row(
        operator="aten::linear_backward",
        call=_linear_backward,
        native={
            "all": _linear_backward_arguments(True, True, True),
            "src": _linear_backward_arguments(True, False, False),
            "weight": _linear_backward_arguments(False, True, False),
            "bias": _linear_backward_arguments(False, False, True),
        },
        dtypes=(torch.float32, torch.bfloat16),
        **_LINEAR,
    ),
)

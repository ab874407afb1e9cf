"""Rows of layer normalisation, forward and backward."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from ..row import Arguments, Invalid, Make, Row, Shape

aten = torch.ops.aten


def _layer_norm_arguments(weight: bool, bias: bool, dims: int = 1) -> Arguments:
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        normalized = shape[-dims:]
        return make(shape), normalized, make(normalized) if weight else None, make(normalized) if bias else None, 1e-5

    return arguments


def _layer_norm_backward_arguments(weight: bool, bias: bool, mask: tuple[bool, bool, bool] | None = None) -> Arguments:
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        src, normalized, scale, shift, eps = _layer_norm_arguments(weight, bias)(make, shape)
        _, mean, rstd = aten.native_layer_norm(src, normalized, scale, shift, eps)
        return make(shape), src, normalized, mean, rstd, scale, shift, list(mask or (True, weight, bias))

    return arguments


_LAYER_NORM: dict[str, Any] = {
    "hostile_undefined": ("huge",),
    "shapes": ((5,), (3, 17), (1, 1, 8), (2, 3, 4, 33), (4, 8, 128)),
    "empty": ((0, 4), (2, 0, 4)),
    "benchmark": ((128, 768), (8, 384, 768), (4096, 1024), (16, 64)),
    "own": True,
    "autocast": torch.float32,
    "inputs": lambda shape: (shape, shape[-1:], shape[-1:]),
    "function": lambda src, weight, bias: F.layer_norm(src, src.shape[-1:], weight, bias),
}

ROWS = (
    Row(
        operator="aten::native_layer_norm",
        call=aten.native_layer_norm.default,
        native={
            "weight and bias": _layer_norm_arguments(True, True),
            "weight": _layer_norm_arguments(True, False),
            "bias": _layer_norm_arguments(False, True),
            "neither": _layer_norm_arguments(False, False),
            "all dimensions": lambda make, shape: (make(shape), shape, *(make(shape).contiguous() for _ in "ab"), 1e-3),
        },
        other={
            "one channel": lambda make, shape: (make((*shape, 1)), (1,), None, None, 1e-5),
            "float64": lambda make, shape: (make(shape).double(), shape[-1:], None, None, 1e-5),
        },
        invalid=(
            Invalid(
                lambda make, shape: (make(shape), (4,), None, None, 1e-5), (2, 3), RuntimeError, "normalized_shape"
            ),
            Invalid(lambda make, shape: (make(shape), (3,), make((4,)), None, 1e-5), (2, 3), RuntimeError, "weight"),
        ),
        **_LAYER_NORM,
    ),
    Row(
        operator="aten::native_layer_norm_backward",
        call=aten.native_layer_norm_backward.default,
        other={"one channel": lambda make, shape: _layer_norm_backward_arguments(True, True)(make, (*shape, 1))},
        native={
            "weight and bias": _layer_norm_backward_arguments(True, True),
            "weight": _layer_norm_backward_arguments(True, False),
            "bias": _layer_norm_backward_arguments(False, True),
            "neither": _layer_norm_backward_arguments(False, False),
            "input only": _layer_norm_backward_arguments(True, True, (True, False, False)),
            "parameters only": _layer_norm_backward_arguments(True, True, (False, True, True)),
        },
        coefficient=(20, "sums are taken in another order; stock PyTorch rounds them to half precision on the way"),
        **_LAYER_NORM,
    ),
)

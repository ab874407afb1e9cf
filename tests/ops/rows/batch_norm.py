"""Rows of batch normalisation, forward and backward."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from ..row import Arguments, Make, Row, Shape

aten = torch.ops.aten


def _arguments(training: bool, affine: bool = True, running: bool = True) -> Arguments:
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        channels = shape[1:2]
        parameters = [make(channels) if affine else None for _ in range(2)]
        statistics = [make(channels), make(channels).abs() + 0.5] if running else [None, None]
        return make(shape), *parameters, *statistics, training, 0.1, 1e-5

    return arguments


def _without_statistics(make: Make, shape: Shape) -> tuple[Any, ...]:
    src, weight, bias, *_ = _arguments(True)(make, shape)
    return src, weight, bias, True, 0.1, 1e-5


def _backward(training: bool, affine: bool = True, mask: tuple[bool, bool, bool] | None = None) -> Arguments:
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        values = _arguments(training, affine)(make, shape)
        src, weight, _, running_mean, running_var, *_ = values
        _, mean, invstd = aten.native_batch_norm(*values)
        made = list(mask or (True, affine, affine))
        return make(shape), src, weight, running_mean, running_var, mean, invstd, training, 1e-5, made

    return arguments


_COMMON: dict[str, Any] = {
    "shapes": ((2, 5), (3, 17), (4, 3, 9), (2, 3, 4, 33), (2, 4, 3, 4, 5), (8, 16, 14, 14)),
    "empty": (),
    "benchmark": ((1, 64, 112, 112), (8, 256, 28, 28), (1, 2048, 7, 7)),
    "dtypes": (torch.float32,),
    "autocast": torch.bfloat16,
    "layout_shape": (4, 6, 8, 4),
    "hostile_shapes": ((4, 8), (6, 40)),  # a channel per value: sums that cancel depend on their order
    "dtype_shape": (4, 6, 5, 5),
    "threads_shape": (4, 16, 32, 32),
    "other_shape": (2, 3, 8),
    "inputs": lambda shape: (shape, shape[1:2], shape[1:2]),
    "function": lambda src, weight, bias: F.batch_norm(src, None, None, weight, bias, training=True),
    "coefficient": (4, "sums over the batch are taken in another order"),
}
_OTHER = {
    "float64": lambda make, shape: tuple(
        value.double() if isinstance(value, torch.Tensor) else value for value in _arguments(True)(make, shape)
    )
}

ROWS = (
    Row(
        operator="aten::_native_batch_norm_legit",
        call=aten._native_batch_norm_legit.default,
        native={"training": _arguments(True), "evaluation": _arguments(False)},
        other=_OTHER,
        **_COMMON,
    ),
    Row(
        operator="aten::_native_batch_norm_legit.no_stats",
        call=aten._native_batch_norm_legit.no_stats,
        native={"training": _without_statistics},
        **_COMMON,
    ),
    Row(
        operator="aten::native_batch_norm",
        call=aten.native_batch_norm.default,
        native={
            "training": _arguments(True),
            "training, no statistics": _arguments(True, running=False),
            "training, no parameters": _arguments(True, affine=False),
            "evaluation": _arguments(False),
            "evaluation, no parameters": _arguments(False, affine=False),
        },
        other=_OTHER,
        **_COMMON,
    ),
    Row(
        operator="aten::native_batch_norm_backward",
        call=aten.native_batch_norm_backward.default,
        native={
            "training": _backward(True),
            "training, no parameters": _backward(True, affine=False),
            "evaluation": _backward(False),
            "input only": _backward(True, mask=(True, False, False)),
            "parameters only": _backward(True, mask=(False, True, True)),
            "evaluation, parameters only": _backward(False, mask=(False, True, True)),
        },
        **_COMMON,
    ),
)

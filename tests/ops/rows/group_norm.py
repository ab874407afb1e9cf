"""Rows of group normalisation, forward and backward."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from ..row import Arguments, Make, Row, Shape

aten = torch.ops.aten


def _sizes(shape: Shape, groups: int) -> tuple[int, int, int, int]:
    return shape[0], shape[1], torch.Size(shape[2:]).numel(), groups


def _forward(groups: int, weight: bool = True, bias: bool = True) -> Arguments:
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        channels = shape[1:2]
        parameters = make(channels) if weight else None, make(channels) if bias else None
        return make(shape).contiguous(), *parameters, *_sizes(shape, groups), 1e-5

    return arguments


def _backward(groups: int, weight: bool = True, mask: tuple[bool, bool, bool] | None = None) -> Arguments:
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        src, scale, *rest = _forward(groups, weight, weight)(make, shape)
        _, mean, rstd = aten.native_group_norm(src, scale, *rest)
        made = list(mask or (True, weight, weight))
        return make(shape).contiguous(), src, mean, rstd, scale, *_sizes(shape, groups), made

    return arguments


_COMMON: dict[str, Any] = {
    "shapes": ((3, 8, 5), (2, 4, 4, 33), (2, 4, 3, 4, 5), (2, 32, 14, 14)),
    "empty": ((0, 4, 2, 2),),
    "benchmark": ((1, 64, 56, 56), (8, 256, 28, 28)),
    "dtypes": (torch.float32,),
    "autocast": torch.float32,
    "layout_shape": (4, 8, 8, 4),
    "hostile_shapes": (),  # sums that cancel depend on their order; see test_group_norm.py
    "dtype_shape": (4, 8, 5, 5),
    "threads_shape": (4, 16, 32, 32),
    "inputs": lambda shape: (shape, shape[1:2], shape[1:2]),
    "function": lambda src, weight, bias: F.group_norm(src, 1, weight, bias),
    "coefficient": (4, "sums over a group are taken in another order"),
}

ROWS = (
    Row(
        operator="aten::native_group_norm",
        call=aten.native_group_norm.default,
        native={
            "four groups": _forward(4),
            "one group": _forward(1),
            "weight": _forward(2, bias=False),
            "bias": _forward(2, weight=False),
            "neither": _forward(2, weight=False, bias=False),
        },
        **_COMMON,
    ),
    Row(
        operator="aten::native_group_norm_backward",
        call=aten.native_group_norm_backward.default,
        native={
            "four groups": _backward(4),
            "one group": _backward(1),
            "no parameters": _backward(2, weight=False),
            "input only": _backward(2, mask=(True, False, False)),
        },
        **_COMMON,
    ),
)

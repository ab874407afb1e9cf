"""Rows of losses and their gradients."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from ..row import Arguments, Invalid, Make, Row, Shape

aten = torch.ops.aten
_NONE, _MEAN, _SUM = 0, 1, 2

_MSE: dict[str, Any] = {
    "shapes": ((1,), (5,), (3, 17), (2, 3, 4, 33), (300, 257)),
    "empty": ((0,), (2, 0, 3)),
    "benchmark": ((128, 1000), (4, 512, 768)),
    "inputs": lambda shape: (shape, shape),
    "function": lambda a, b: F.mse_loss(a, b) * a.sum() + F.mse_loss(a, b, reduction="none").sum(),
    "own": True,
    "autocast": torch.float32,
    "coefficient": (4.0, "sums are taken in another order"),
}


def _targets(make: Make, rows: int, classes: int) -> torch.Tensor:
    return torch.arange(rows) * 7 % classes


def _nll(reduction: int, weighted: bool = False, ignore: int = -100) -> Arguments:
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        src = make(shape)
        weight = make(shape[1:]).abs().contiguous() if weighted else None
        return src, _targets(make, *shape), weight, reduction, ignore

    return arguments


def _nll_backward(reduction: int, weighted: bool = False) -> Arguments:
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        src, target, weight, _, ignore = _nll(reduction, weighted)(make, shape)
        dtype = src.dtype if src.is_floating_point() else torch.float32
        total = torch.full((), 3.5, dtype=dtype)
        diff_dst = make(shape[:1]) if reduction == _NONE else make(())
        return diff_dst, src, target, weight, reduction, ignore, total

    return arguments


_NLL: dict[str, Any] = {
    "shapes": ((1, 3), (3, 17), (64, 1000)),
    "empty": ((0, 4),),
    "benchmark": ((128, 1000), (512, 30522)),
    "inputs": lambda shape: (shape,),
    "function": lambda src: F.nll_loss(src, torch.arange(src.shape[0], device=src.device) % src.shape[1]) * src.sum(),
    "own": True,
    "autocast": torch.float32,
    "dtypes": (torch.float32,),
    "layout_shape": (6, 32),
    "hostile_shapes": ((6, 4), (6, 40)),
}

ROWS = (
    Row(
        operator="aten::mse_loss",
        call=aten.mse_loss.default,
        native={
            "mean": lambda make, shape: (make(shape), make(shape), _MEAN),
            "sum": lambda make, shape: (make(shape), make(shape), _SUM),
            "none": lambda make, shape: (make(shape), make(shape), _NONE),
        },
        **(_MSE | {"dtypes": (torch.float32,)}),
    ),
    Row(
        operator="aten::mse_loss_backward",
        call=aten.mse_loss_backward.default,
        native={
            "mean": lambda make, shape: (make(()), make(shape), make(shape), _MEAN),
            "sum": lambda make, shape: (make(()), make(shape), make(shape), _SUM),
            "none": lambda make, shape: (make(shape), make(shape), make(shape), _NONE),
        },
        native_layouts=("contiguous", "with offset"),
        **_MSE,
    ),
    Row(
        operator="aten::nll_loss_forward",
        call=aten.nll_loss_forward.default,
        native={
            "mean": _nll(_MEAN),
            "sum": _nll(_SUM),
            "none": _nll(_NONE),
            "weighted mean": _nll(_MEAN, weighted=True),
            "ignored": _nll(_MEAN, ignore=0),
        },
        invalid=(
            Invalid(
                lambda make, shape: (make(shape), torch.full((2,), 9), None, _MEAN, -100),
                (2, 3),
                IndexError,
                "out of bounds",
            ),
        ),
        coefficient=(2.0, "sums are taken in another order"),
        **_NLL,
    ),
    Row(
        operator="aten::nll_loss_backward",
        call=aten.nll_loss_backward.default,
        native={
            "mean": _nll_backward(_MEAN),
            "sum": _nll_backward(_SUM),
            "none": _nll_backward(_NONE),
            "weighted mean": _nll_backward(_MEAN, weighted=True),
        },
        **_NLL,
    ),
)

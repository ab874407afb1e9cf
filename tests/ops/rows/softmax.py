"""Rows of softmax and log-softmax, forward and backward."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from ..row import Arguments, Invalid, Make, Row, Shape, one

aten = torch.ops.aten


def _softmax_arguments(dim: int, half_to_float: bool = False) -> Arguments:
    return lambda make, shape: (make(shape), dim, half_to_float)


def _softmax_backward_arguments(dim: int) -> Arguments:
    # Any numbers will do for `output`: the operator is a formula, and does not know what made them.
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        output = make(shape)
        return make(shape), output, dim, output.dtype

    return arguments


_SOFTMAX = {
    "inputs": one,
    "shapes": ((), (1,), (5,), (3, 17), (2, 1, 8), (2, 3, 4, 33), (4, 8, 128)),
    "empty": ((0,), (0, 4), (4, 0)),
    "benchmark": ((12, 128, 128), (8, 12, 384, 384), (32, 1000), (4, 30522)),
    "autocast": torch.float32,
    "own": True,
}


_SOFTMAX_NATIVE = {
    "last dimension": _softmax_arguments(-1),
    "last dimension, counted from the front": lambda make, shape: (make(shape), max(len(shape) - 1, 0), False),
    "first dimension": _softmax_arguments(0),
    "middle dimension": lambda make, shape: (make(shape), min(1, max(len(shape) - 1, 0)), False),
}

_SOFTMAX_BACKWARD_NATIVE = {
    "last dimension": _softmax_backward_arguments(-1),
    "first dimension": _softmax_backward_arguments(0),
}


_SOFTMAX_INVALID = (
    Invalid(_softmax_arguments(3), (2, 3), IndexError, "Dimension out of range"),
    Invalid(_softmax_arguments(-1, half_to_float=True), (2, 3), RuntimeError, "half to float"),
)

ROWS = (
    Row(
        operator="aten::_log_softmax",
        call=aten._log_softmax.default,
        out="aten::_log_softmax.out",
        native=_SOFTMAX_NATIVE,
        function=lambda src: F.log_softmax(src, -1),
        invalid=_SOFTMAX_INVALID,
        **_SOFTMAX,
    ),
    Row(
        operator="aten::_log_softmax_backward_data",
        call=aten._log_softmax_backward_data.default,
        native=_SOFTMAX_BACKWARD_NATIVE,
        function=lambda src: F.log_softmax(src, -1),
        coefficient=(8, "the sum over a row is taken in another order"),
        **_SOFTMAX,
    ),
    Row(
        operator="aten::_softmax",
        call=aten._softmax.default,
        out="aten::_softmax.out",
        native=_SOFTMAX_NATIVE,
        function=lambda src: F.softmax(src, -1),
        invalid=_SOFTMAX_INVALID,
        **_SOFTMAX,
    ),
    Row(
        operator="aten::_softmax_backward_data",
        call=aten._softmax_backward_data.default,
        native=_SOFTMAX_BACKWARD_NATIVE,
        function=lambda src: F.softmax(src, -1),
        coefficient=(8, "the sum over a row is taken in another order"),
        **_SOFTMAX,
    ),
)

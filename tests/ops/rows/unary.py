"""Rows of elementary functions of one tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..calls import overload
from ..row import Row, one

_SHAPES: dict[str, Any] = {
    "shapes": ((), (1,), (5,), (3, 17), (2, 1, 8), (2, 3, 4, 33), (4, 8, 128)),
    "empty": ((0,), (2, 0, 3)),
    "benchmark": ((1, 64, 112, 112), (1, 128, 768)),
    "inputs": one,
    "own": True,
    "elementwise": True,
}


def _unary(name: str, function: Callable[[torch.Tensor], torch.Tensor], **more: Any) -> Row:
    return Row(
        operator=f"aten::{name}",
        call=overload(name),
        native={"plain": lambda make, shape: (make(shape),)},
        inplace=f"aten::{name}_",
        out=f"aten::{name}.out",
        function=function,
        **(_SHAPES | {"autocast": torch.bfloat16} | more),
    )


def _positive(src: torch.Tensor) -> torch.Tensor:
    return src * src + 0.5


ROWS = (
    _unary("abs", lambda src: torch.abs(src) * src),
    _unary("exp", lambda src: torch.exp(src * 0.25), autocast=torch.float32, coefficient=(4.0, "our exp")),
    _unary("log", lambda src: torch.log(_positive(src)), autocast=torch.float32),
    _unary("neg", lambda src: torch.neg(src) * src),
    _unary("reciprocal", lambda src: torch.reciprocal(_positive(src)), autocast=torch.float32),
    _unary("rsqrt", lambda src: torch.rsqrt(_positive(src)), autocast=torch.float32),
    _unary("sqrt", lambda src: torch.sqrt(_positive(src))),
    Row(
        operator="aten::pow.Tensor_Scalar",
        call=torch.ops.aten.pow.Tensor_Scalar,
        native={
            "square": lambda make, shape: (make(shape), 2),
            "cube": lambda make, shape: (make(shape), 3.0),
        },
        inplace="aten::pow_.Scalar",
        out="aten::pow.Tensor_Scalar_out",
        other={"other exponent": lambda make, shape: (make(shape).abs(), 1.5)},
        function=lambda src: torch.pow(src, 2) + torch.pow(src, 3) * 0.1,
        **(_SHAPES | {"autocast": torch.float32}),
    ),
)

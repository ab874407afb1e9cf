"""Rows of functions of two and three tensors, element by element, with broadcasting."""

from __future__ import annotations

from typing import Any

import torch

from ..calls import overload
from ..row import Arguments, Invalid, Make, Row, Shape

_SHAPES: dict[str, Any] = {
    "shapes": ((), (1,), (5,), (3, 17), (2, 1, 8), (2, 3, 4, 33), (2, 5, 6, 7, 3), (4, 8, 128), (7, 300)),
    "empty": ((0,), (2, 0, 3)),
    "benchmark": ((1, 256, 56, 56), (16, 256, 14, 14), (1, 128, 768)),
    "inputs": lambda shape: (shape, shape),
    "own": True,
    "elementwise": True,
    "autocast": torch.bfloat16,
}


def _last(make: Make, shape: Shape) -> torch.Tensor:
    return make(shape[-1:])


def _channels(make: Make, shape: Shape) -> torch.Tensor:
    """[N, C, 1, 1], as in squeeze and excitation."""
    return make((*shape[:2], *(1 for _ in shape[2:])))


def _rows(make: Make, shape: Shape) -> torch.Tensor:
    return make((*shape[:-1], 1) if shape else ())


def _swapped(make: Make, shape: Shape) -> torch.Tensor:
    """Other strides, same shape."""
    return make(tuple(reversed(shape))).permute(*range(len(shape) - 1, -1, -1)) if shape else make(shape)


def _operands(*more: Any, scalars: bool = True) -> dict[str, Arguments]:
    made: dict[str, Arguments] = {
        "same": lambda make, shape: (make(shape), make(shape), *more),
        "itself": lambda make, shape: (x := make(shape), x, *more),
        "last dimension": lambda make, shape: (make(shape), _last(make, shape), *more),
        "channels": lambda make, shape: (make(shape), _channels(make, shape), *more),
        "rows": lambda make, shape: (make(shape), _rows(make, shape), *more),
        "rows first": lambda make, shape: (_rows(make, shape), make(shape), *more),
        "other strides": lambda make, shape: (make(shape), _swapped(make, shape), *more),
        "scalar tensor": lambda make, shape: (make(shape), make(()), *more),
        "both broadcast": lambda make, shape: (make((*shape, 1)), make((3,)), *more),
    }
    if scalars:
        made["cpu scalar"] = lambda make, shape: (make(shape), 2.5, *more)
    return made


def _row(name: str, which: str, function: Any, *, native: Any = None, invalid: bool = True, **more: Any) -> Row:
    return Row(
        operator=f"aten::{name}{which}",
        call=overload(f"{name}{which}"),
        native=native or _operands(),
        function=function,
        invalid=(
            (Invalid(lambda make, shape: (make(shape), make((4,))), (2, 3), RuntimeError, "must match the size"),)
            if invalid
            else ()
        ),
        **(_SHAPES | more),
    )


def _alpha(arguments: Arguments) -> Arguments:
    return lambda make, shape: (*arguments(make, shape), {"alpha": 0.3})


_ALPHA = _operands() | {"alpha": _alpha(_operands()["same"])}
_THREE: dict[str, Arguments] = {
    "same": lambda make, shape: (make(shape), make(shape), make(shape), {"value": 0.7}),
    "broadcast": lambda make, shape: (make(shape), _last(make, shape), _rows(make, shape)),
}


def _nonzero(t: torch.Tensor) -> torch.Tensor:
    return t * t + 1


ROWS = (
    _row(
        "add",
        ".Tensor",
        lambda a, b: torch.add(a, b, alpha=2) * a,
        native=_ALPHA,
        inplace="aten::add_.Tensor",
        out="aten::add.out",
    ),
    _row(
        "sub",
        ".Tensor",
        lambda a, b: torch.sub(a, b, alpha=2) * a,
        native=_ALPHA,
        inplace="aten::sub_.Tensor",
        out="aten::sub.out",
    ),
    _row(
        "rsub",
        ".Tensor",
        lambda a, b: torch.rsub(a, b) * a,
        native={k: v for k, v in _ALPHA.items() if k != "cpu scalar"},
        elementwise=False,
    ),
    _row("mul", ".Tensor", lambda a, b: torch.mul(a, b) * a, inplace="aten::mul_.Tensor", out="aten::mul.out"),
    _row("div", ".Tensor", lambda a, b: torch.div(a, _nonzero(b)), inplace="aten::div_.Tensor", out="aten::div.out"),
    _row(
        "maximum",
        "",
        lambda a, b: torch.maximum(a, b) * a * b,
        native=_operands(scalars=False),
        out="aten::maximum.out",
    ),
    _row(
        "minimum",
        "",
        lambda a, b: torch.minimum(a, b) * a * b,
        native=_operands(scalars=False),
        out="aten::minimum.out",
    ),
    _row(
        "addcmul",
        "",
        lambda a, b: torch.addcmul(a, a, b, value=0.5),
        native=_THREE,
        invalid=False,
        inplace="aten::addcmul_",
        out="aten::addcmul.out",
        autocast=torch.bfloat16,
    ),
    _row(
        "addcdiv",
        "",
        lambda a, b: torch.addcdiv(a, a, _nonzero(b), value=0.5),
        native=_THREE,
        invalid=False,
        inplace="aten::addcdiv_",
        out="aten::addcdiv.out",
        autocast=torch.bfloat16,
        coefficient=(2.0, "value is multiplied first"),
    ),
    _row(
        "where",
        ".self",
        lambda a, b: torch.where(a > 0, a, b) * b,
        native={
            "same": lambda make, shape: (make(shape) > 0, make(shape), make(shape)),
            "broadcast": lambda make, shape: (_rows(make, shape) > 0, _last(make, shape), make(shape)),
        },
        out="aten::where.self_out",
        invalid=False,
    ),
    Row(
        operator="aten::masked_fill_.Scalar",
        call=lambda src, mask, value: src.clone().masked_fill_(mask, value),
        native={
            "same": lambda make, shape: (make(shape), make(shape) > 0, -1e4),
            "rows": lambda make, shape: (make(shape), _rows(make, shape) > 0, float("-inf")),
        },
        function=lambda a, b: torch.masked_fill(a, b > 0, 0.5) * a * b,
        **_SHAPES,
    ),
)

"""Rows of sums and means."""

from __future__ import annotations

from typing import Any

import torch

from ..row import Arguments, Invalid, Row, one

aten = torch.ops.aten


def _over(*dims: int, keepdim: bool = False) -> Arguments:
    return lambda make, shape: (make(shape), list(dims), keepdim)


_COMMON: dict[str, Any] = {
    "inputs": one,
    "shapes": ((5,), (3, 17), (2, 3, 4, 33), (4, 8, 128), (2, 64, 14, 14), (40, 1000), (5, 41, 101), (33, 4100)),
    "empty": ((0,), (0, 4), (4, 0)),
    "benchmark": ((1, 2048, 7, 7), (8, 512, 28, 28), (1000, 1000)),
    "dtypes": (torch.float32,),
    "autocast": torch.float32,
    "coefficient": (4, "sums are taken in another order"),
}
_DIMS: dict[str, Arguments] = {
    "last dimension": _over(-1),
    "first dimension, kept": _over(0, keepdim=True),
    "all dimensions": lambda make, shape: (make(shape), None),
    "spatial": lambda make, shape: (make(shape), list(range(min(2, len(shape) - 1), len(shape))), True),
    "all but channels": lambda make, shape: (make(shape), [d for d in range(len(shape)) if d != 1]),
}
_INVALID = (
    Invalid(_over(2), (2, 3), IndexError, "Dimension out of range"),
    Invalid(_over(1, -1), (2, 3), RuntimeError, "appears multiple times"),
)

ROWS = (
    Row(
        operator="aten::mean",
        call=aten.mean.default,
        native={"all": lambda make, shape: (make(shape),)},
        other={"wider result": lambda make, shape: (make(shape), {"dtype": torch.float64})},
        function=lambda src: src.mean(),
        **_COMMON | {"autocast": torch.bfloat16},
    ),
    Row(
        operator="aten::mean.dim",
        call=aten.mean.dim,
        native=_DIMS,
        function=lambda src: src.mean(-1, keepdim=True),
        invalid=_INVALID,
        **_COMMON | {"autocast": torch.bfloat16},
    ),
    Row(
        operator="aten::sum",
        call=aten.sum.default,
        native={"all": lambda make, shape: (make(shape),)},
        other={"wider result": lambda make, shape: (make(shape), {"dtype": torch.float64})},
        function=lambda src: src.square().sum(),
        **_COMMON,
    ),
    Row(
        operator="aten::sum.dim_IntList",
        call=aten.sum.dim_IntList,
        native=_DIMS,
        function=lambda src: src.square().sum(-1, keepdim=True),
        invalid=_INVALID,
        **_COMMON,
    ),
)

"""Rows of the operators that copy or add rows which indices choose."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F

from ..row import Invalid, Make, Row, Shape

aten = torch.ops.aten

COUNT = 50  # rows of a table
EVERY = (torch.float32, torch.bfloat16, torch.float16, torch.float64, torch.int64, torch.uint8, torch.bool)


def _indices(shape: Shape, count: int = COUNT, dtype: torch.dtype = torch.int64) -> torch.Tensor:
    """Indices with repetitions, in no order."""
    return torch.arange(math.prod(shape)).mul(7).remainder(max(count, 1)).reshape(shape).to(dtype)


def _table(dtype: torch.dtype) -> Any:
    return lambda make, shape: (make((COUNT, shape[-1])), _indices(shape[:-1], dtype=dtype))


def _backward(dtype: torch.dtype, padding: int = 3, scale: bool = False) -> Any:
    return lambda make, shape: (make(shape), _indices(shape[:-1], dtype=dtype), COUNT, padding, scale)


def _selected(make: Make, shape: Shape, dim: int) -> tuple[Any, ...]:
    return make(shape), dim, _indices((5 if shape[dim] else 0,), shape[dim])


def _squared_embedding(weight: torch.Tensor) -> torch.Tensor:
    rows = F.embedding(_indices((3,)).to(weight.device), weight)
    return rows * rows


def _squared_selection(src: torch.Tensor) -> torch.Tensor:
    rows = torch.index_select(src, 0, torch.tensor([2, 0, 1]).to(src.device))
    return rows * rows


_SHARED: dict[str, Any] = {"own": True, "autocast": torch.bfloat16}
_TABLE: dict[str, Any] = {
    "shapes": ((1, 1), (5, 17), (3, 4, 64), (2, 3, 4, 33), (64, 256)),
    "empty": ((0, 4), (2, 0, 4), (4, 0)),
    "function": _squared_embedding,
    "inputs": lambda shape: ((COUNT, shape[-1]),),
    "benchmark": ((512, 768), (4, 128, 1024)),
    **_SHARED,
}

ROWS = (
    Row(
        operator="aten::embedding",
        call=aten.embedding.default,
        native={"int64": _table(torch.int64), "int32": _table(torch.int32)},
        invalid=(
            Invalid(lambda make, shape: (make(shape), torch.tensor([2])), (2, 3), IndexError, "out of range"),
            Invalid(lambda make, shape: (make(shape), torch.tensor([-1])), (2, 3), IndexError, "out of range"),
            Invalid(lambda make, shape: (make(shape), torch.tensor([0])), (2, 3, 4), RuntimeError, "must be 2-D"),
        ),
        dtypes=EVERY,
        native_layouts=("contiguous", "with offset"),
        **_TABLE,
    ),
    Row(
        operator="aten::embedding_dense_backward",
        call=aten.embedding_dense_backward.default,
        native={"int64": _backward(torch.int64), "int32": _backward(torch.int32, -1)},
        other={"scaled by frequency": _backward(torch.int64, scale=True)},
        dtypes=(torch.float32,),
        **_TABLE,
    ),
    Row(
        operator="aten::index_select",
        call=aten.index_select.default,
        native={
            "first": lambda make, shape: _selected(make, shape, 0),
            "last": lambda make, shape: _selected(make, shape, -1),
        },
        function=_squared_selection,
        inputs=lambda shape: (shape,),
        shapes=((1,), (5, 17), (3, 4, 64), (2, 3, 4, 33), (8, 256)),
        empty=((0, 4), (2, 0, 4)),
        benchmark=((1000, 256), (64, 1000)),
        invalid=(
            Invalid(lambda make, shape: (make(shape), 0, torch.tensor([2])), (2, 3), IndexError, "out of range"),
            Invalid(lambda make, shape: (make(shape), 2, torch.tensor([0])), (2, 3), IndexError, "out of range"),
        ),
        dtypes=EVERY,
        native_layouts=("contiguous", "with offset"),
        **_SHARED,
    ),
)

"""Rows of the operators that multiply matrices: mm, bmm, addmm, baddbmm, addbmm, addmv, mv, dot."""

from __future__ import annotations

import math
from typing import Any

import torch

from ..row import Arguments, Invalid, Make, Row, Shape

aten = torch.ops.aten

INNER = 24  # the dimension that is summed over


def _matrices(make: Make, shape: Shape) -> tuple[torch.Tensor, torch.Tensor]:
    """Two matrices whose product has the shape."""
    return make((shape[-2], INNER)), make((INNER, shape[-1]))


def _batches(make: Make, shape: Shape) -> tuple[torch.Tensor, torch.Tensor]:
    """Two batches of matrices: of the first dimension of the shape, or of two if it has none."""
    batch = shape[0] if len(shape) == 3 else 2
    return make((batch, shape[-2], INNER)), make((batch, INNER, shape[-1]))


def _bias(make: Make, shape: Shape) -> torch.Tensor:
    return make(shape[-1:])


def _matrix(make: Make, shape: Shape) -> torch.Tensor:
    return make(shape[-2:])


def _batch(make: Make, shape: Shape) -> torch.Tensor:
    return make(shape) if len(shape) == 3 else make(shape[-1:])


def _added(self: Any, operands: Any, **factors: float) -> Arguments:
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        values = (self(make, shape), *operands(make, shape))
        return (*values, factors) if factors else values

    return arguments


def _addends(matrix: Any, operands: Any) -> dict[str, Arguments]:
    return {
        "bias": _added(_bias, operands),
        "matrix": _added(matrix, operands),
        "factors": _added(matrix, operands, beta=0.5, alpha=2.0),
        "factor of the product": _added(matrix, operands, beta=0, alpha=0.25),
        "nothing": _added(matrix, operands, beta=0),
    }


def _column(make: Make, shape: Shape) -> torch.Tensor:
    return make(shape[-1:])


def _matrix_and_vector(make: Make, shape: Shape) -> tuple[torch.Tensor, torch.Tensor]:
    return make((shape[-1], INNER)), make((INNER,))


_SHARED: dict[str, Any] = {
    "autocast": torch.bfloat16,
    "coefficient": (8, "sums of products, in another order"),
    "hostile_undefined": ("huge",),
}
_MATRICES: dict[str, Any] = {
    "shapes": ((1, 1), (1, 40), (3, 17), (33, 1), (130, 72), (64, 2048)),
    "empty": ((0, 4), (4, 0)),
    "benchmark": ((128, 768), (512, 768), (128, 3072)),
    "layout_shape": (6, 32),
    **_SHARED,
}
_BATCHES: dict[str, Any] = {
    "shapes": ((1, 1, 1), (2, 3, 17), (4, 1, 8), (3, 33, 1), (12, 40, 32)),
    "empty": ((0, 4, 4), (2, 0, 4), (2, 4, 0)),
    "benchmark": ((12, 128, 128), (48, 128, 64)),
    **_SHARED,
}
_MISFIT = "cannot be multiplied|Expected size|expected"

ROWS = (
    Row(
        operator="aten::addbmm",
        call=aten.addbmm.default,
        native=_addends(_matrix, _batches),
        other={"factor 0": _added(_matrix, _batches, alpha=0)},
        function=lambda self, a, b: torch.addbmm(self, a, b, beta=0.5),
        inputs=lambda shape: (shape[-2:], (2, shape[-2], INNER), (2, INNER, shape[-1])),
        inplace="aten::addbmm_",
        out="aten::addbmm.out",
        **_BATCHES,
    ),
    Row(
        operator="aten::addmm",
        call=aten.addmm.default,
        native=_addends(_matrix, _matrices),
        other={"factor 0": _added(_matrix, _matrices, alpha=0)},
        function=lambda self, a, b: torch.addmm(self, a, b, beta=0.5),
        inputs=lambda shape: (shape, (shape[-2], INNER), (INNER, shape[-1])),
        inplace="aten::addmm_",
        out="aten::addmm.out",
        invalid=(
            Invalid(lambda make, shape: (make(shape), make(shape), make(shape)), (2, 3), RuntimeError, _MISFIT),
            Invalid(
                lambda make, shape: (make((5,)), *_matrices(make, shape)), (2, 3), RuntimeError, "must match|expanded"
            ),
        ),
        **_MATRICES,
    ),
    Row(
        operator="aten::addmv",
        call=aten.addmv.default,
        native=_addends(_column, _matrix_and_vector),
        other={"factor 0": _added(_column, _matrix_and_vector, alpha=0)},
        function=lambda self, a, b: torch.addmv(self, a, b, beta=0.5) + a @ b,
        inputs=lambda shape: (shape[-1:], (shape[-1], INNER), (INNER,)),
        inplace="aten::addmv_",
        out="aten::addmv.out",
        **_MATRICES | {"empty": ((4, 0),)},
    ),
    Row(
        operator="aten::baddbmm",
        call=aten.baddbmm.default,
        native=_addends(_batch, _batches),
        other={"factor 0": _added(_batch, _batches, alpha=0)},
        function=lambda self, a, b: torch.baddbmm(self, a, b, beta=0.5),
        inputs=lambda shape: (shape[-2:], (2, shape[-2], INNER), (2, INNER, shape[-1])),
        inplace="aten::baddbmm_",
        out="aten::baddbmm.out",
        **_BATCHES,
    ),
    Row(
        operator="aten::bmm",
        call=aten.bmm.default,
        native={
            "rows": _batches,
            "columns": lambda make, shape: tuple(t.mT.contiguous().mT for t in _batches(make, shape)),
            "heads between rows": lambda make, shape: tuple(
                t.transpose(0, 1).contiguous().transpose(0, 1) for t in _batches(make, shape)
            ),
        },
        function=torch.matmul,
        inputs=lambda shape: ((2, shape[-2], INNER), (2, INNER, shape[-1])),
        out="aten::bmm.out",
        invalid=(Invalid(lambda make, shape: (make(shape), make(shape)), (2, 3, 4), RuntimeError, _MISFIT),),
        **_BATCHES,
    ),
    Row(
        operator="aten::dot",
        call=aten.dot.default,
        native={"vectors": lambda make, shape: (make(shape).reshape(-1), make(shape).reshape(-1))},
        function=torch.dot,
        inputs=lambda shape: ((math.prod(shape),), (math.prod(shape),)),
        shapes=((1,), (5,), (31,), (1000,), (40, 50)),
        empty=((0,),),
        benchmark=((1000,), (1_000_000,)),
        autocast=torch.bfloat16,
        dtypes=(torch.float32,),
        own=True,
        coefficient=(16, "a sum of products, in another order"),
        hostile_undefined=("huge",),
        invalid=(
            Invalid(lambda make, shape: (make((2,)), make((3,))), (2,), RuntimeError, "inconsistent tensor size"),
        ),
    ),
    Row(
        operator="aten::mm",
        call=aten.mm.default,
        native={
            "rows": _matrices,
            "columns": lambda make, shape: tuple(t.mT.contiguous().mT for t in _matrices(make, shape)),
            "many products": lambda make, shape: (make((shape[-2], 96)), make((96, shape[-1]))),
        },
        function=torch.matmul,
        inputs=lambda shape: ((shape[-2], INNER), (INNER, shape[-1])),
        out="aten::mm.out",
        invalid=(Invalid(lambda make, shape: (make(shape), make(shape)), (2, 3), RuntimeError, _MISFIT),),
        **_MATRICES,
    ),
    Row(
        operator="aten::mv",
        call=aten.mv.default,
        native={"matrix and vector": _matrix_and_vector},
        function=torch.mv,
        inputs=lambda shape: ((shape[-1], INNER), (INNER,)),
        **_MATRICES | {"empty": ((4, 0),)},
    ),
)

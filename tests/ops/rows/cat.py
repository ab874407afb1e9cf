"""Rows of concatenation."""

from __future__ import annotations

import torch

from ..row import Arguments, Invalid, Make, Row, Shape


def _of(dim: int, count: int = 2) -> Arguments:
    return lambda make, shape: ([make(shape) for _ in range(count)], dim)


def _uneven(make: Make, shape: Shape) -> tuple[list[torch.Tensor], int]:
    return [make(shape), make((*shape[:-1], 2 * shape[-1])), make((*shape[:-1], 1))], -1


def _channels(make: Make, shape: Shape) -> tuple[list[torch.Tensor], int]:
    """As in DenseNet."""
    dim = 1 if len(shape) > 1 else 0
    more = (*shape[:dim], 2 * shape[dim], *shape[dim + 1 :])
    return [make(shape), make(more)], dim


ROWS = (
    Row(
        operator="aten::cat",
        call=torch.ops.aten.cat.default,
        native={
            "channels": _channels,
            "first dimension": _of(0),
            "last dimension": _of(-1, 3),
            "uneven": _uneven,
            "one": _of(0, 1),
        },
        other={
            "mixed dtypes": lambda make, shape: ([make(shape), make(shape).double()], 0),
            "empty one": lambda make, shape: ([make(shape), make((0,))], 0),
        },
        out="aten::cat.out",
        function=lambda a, b: torch.cat([a, b], 0).square(),
        inputs=lambda shape: (shape, shape),
        shapes=((1,), (5,), (3, 17), (2, 1, 8), (2, 3, 4, 33), (2, 5, 6, 7, 3), (4, 8, 128)),
        empty=((0,), (2, 0, 3)),
        benchmark=((1, 256, 28, 28), (1, 12, 64, 64), (128, 768)),
        own=True,
        autocast=torch.float32,
        invalid=(
            Invalid(lambda make, shape: ([make(shape), make((4, 4))], 0), (2, 3), RuntimeError, "must match"),
            Invalid(lambda make, shape: ([make(shape)], 5), (2, 3), IndexError, "Dimension out of range"),
        ),
    ),
)

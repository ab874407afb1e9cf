"""Rows of dropout. Masks are those of stock PyTorch for the same seed."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from ..row import Row, one

aten = torch.ops.aten


def _seeded(src: torch.Tensor, p: float, train: bool | None) -> Any:
    torch.manual_seed(7)
    return aten.native_dropout(src, p, train)


def _function(src: torch.Tensor) -> torch.Tensor:
    torch.manual_seed(7)
    return F.dropout(src, 0.3, training=True) * src


_DROPOUT: dict[str, Any] = {
    "shapes": ((), (1,), (5,), (3, 17), (2, 3, 4, 33), (4, 8, 128)),
    "empty": ((0,), (2, 0, 3)),
    "benchmark": ((128, 768), (4, 12, 128, 128)),
    "inputs": one,
    "function": _function,
    "own": True,
    "autocast": torch.bfloat16,
}

ROWS = (
    Row(
        operator="aten::native_dropout",
        call=_seeded,
        native={
            "training": lambda make, shape: (make(shape), 0.3, True),
            "by default": lambda make, shape: (make(shape), 0.5, None),
            "nothing kept": lambda make, shape: (make(shape), 1.0, True),
        },
        other={"not training": lambda make, shape: (make(shape), 0.3, False)},
        **_DROPOUT,
    ),
    Row(
        operator="aten::native_dropout_backward",
        call=aten.native_dropout_backward.default,
        native={"plain": lambda make, shape: (make(shape), make(shape) > 0, 1.25)},
        elementwise=True,
        **_DROPOUT,
    ),
)

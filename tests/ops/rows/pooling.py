"""Rows of pooling, forward and backward."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from ..row import Arguments, Invalid, Make, Row, Shape, one

aten = torch.ops.aten

FLAT: dict[str, Any] = {
    "shapes": ((1, 1, 3, 3), (2, 5, 7, 6), (2, 16, 9, 33), (3, 8, 12, 10), (1, 109, 6, 5)),
    "benchmark": ((1, 64, 112, 112), (8, 64, 112, 112), (1, 256, 35, 35)),
    "layout_shape": (4, 6, 8, 4),
    "hostile_shapes": ((3, 4, 4, 4), (2, 3, 6, 8)),
    "dtype_shape": (2, 4, 6, 6),
    "threads_shape": (4, 16, 32, 32),
    "empty": ((0, 3, 6, 6),),
    "other_shape": (4, 8, 8),
}
DEEP: dict[str, Any] = {
    "shapes": ((1, 1, 3, 3, 3), (2, 5, 4, 7, 6), (2, 8, 5, 6, 9)),
    "benchmark": ((1, 64, 16, 28, 28),),
    "layout_shape": (3, 4, 4, 6, 4),
    "hostile_shapes": ((2, 4, 3, 4, 4),),
    "dtype_shape": (2, 3, 4, 4, 4),
    "threads_shape": (4, 8, 8, 16, 16),
    "empty": ((0, 3, 4, 6, 6),),
    "other_shape": (4, 6, 8, 8),
}
FORWARD = (torch.float32, torch.bfloat16)
_COMMON: dict[str, Any] = {
    "autocast": torch.bfloat16,
    "inputs": one,
}


def _on_plane(pool: Any, dims: int) -> Any:
    """`pool` as a function of matrices too, which the tests of gradients use: a plane each, and one pixel of it."""

    def function(src: torch.Tensor) -> torch.Tensor:
        if src.dim() == dims + 2:
            return pool(src)
        return pool(src.reshape(*[1] * dims, *src.shape))[(0,) * dims][:1, :1]

    return function


def _max(dims: int, kernel: int, **options: Any) -> Arguments:
    values = {"stride": kernel, "padding": 0, "dilation": 1, "ceil_mode": False, **options}

    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        lists = [[values[name]] * dims for name in ("stride", "padding", "dilation")]
        return make(shape), [kernel] * dims, *lists, values["ceil_mode"]

    return arguments


def _average(dims: int, kernel: int, **options: Any) -> Arguments:
    values = {"stride": kernel, "padding": 0, "ceil_mode": False, "count": True, "divisor": None, **options}

    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        lists = [[values[name]] * dims for name in ("stride", "padding")]
        return make(shape), [kernel] * dims, *lists, values["ceil_mode"], values["count"], values["divisor"]

    return arguments


def _adaptive(*size: int) -> Arguments:
    return lambda make, shape: (make(shape), list(size))


def _max_backward(operator: Any, forward: Arguments) -> Arguments:
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        src, *rest = forward(make, shape)
        dst, indices = operator(src, *rest)
        return (make(tuple(dst.shape)), src, *(rest if len(rest) > 1 else ()), indices)

    return arguments


def _average_backward(operator: Any, forward: Arguments) -> Arguments:
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        src, *rest = forward(make, shape)
        return (make(tuple(operator(src, *rest).shape)), src, *(rest if len(rest) > 1 else ()))

    return arguments


def _max_variants(dims: int) -> dict[str, Arguments]:
    return {
        "kernel 3, stride 2": _max(dims, 3, stride=2, padding=1),
        "kernel 2": _max(dims, 2),
        "ceil mode": _max(dims, 2, stride=2, padding=1, ceil_mode=True),
        "dilated": _max(dims, 2, stride=1, dilation=2),
    }


def _average_variants(dims: int) -> dict[str, Arguments]:
    return {
        "kernel 2": _average(dims, 2),
        "padding": _average(dims, 3, stride=2, padding=1),
        "padding not counted": _average(dims, 3, stride=2, padding=1, count=False),
        "ceil mode": _average(dims, 2, stride=2, padding=1, ceil_mode=True),
        "divisor": _average(dims, 3, stride=1, divisor=2),
    }


def _pair(
    name: str, dims: int, variants: dict[str, Arguments], function: Any, backward: Any, **options: Any
) -> tuple[Row, Row]:
    forward = getattr(aten, name).default
    shapes = FLAT if dims == 2 else DEEP
    common = {**_COMMON, **shapes, "function": function, **options}
    invalid = common.pop("invalid", ())
    backward_name = name + "_backward"
    return (
        Row(
            operator=f"aten::{name}",
            call=forward,
            native=variants,
            invalid=invalid,
            dtypes=FORWARD,
            own=True,
            rounds_sums=dims == 3,
            **common,
        ),
        Row(
            operator=f"aten::{backward_name}",
            rounds_sums=dims == 3,
            call=getattr(aten, backward_name).default,
            native={key: backward(forward, value) for key, value in variants.items()},
            dtypes=(torch.float32,),
            **common,
        ),
    )


ROWS = (
    *_pair(
        "_adaptive_avg_pool2d",
        2,
        {"to 2x3": _adaptive(2, 3), "to 1x1": _adaptive(1, 1), "larger": _adaptive(7, 13)},
        _on_plane(lambda src: F.adaptive_avg_pool2d(src, (2, 3)), 2),
        _average_backward,
        invalid=(Invalid(_adaptive(2, 2, 2), (2, 3, 6, 6), RuntimeError, "output_size"),),
    ),
    *_pair(
        "_adaptive_avg_pool3d",
        3,
        {"to 2x3x2": _adaptive(2, 3, 2), "to 1x1x1": _adaptive(1, 1, 1)},
        _on_plane(lambda src: F.adaptive_avg_pool3d(src, (2, 3, 2)), 3),
        _average_backward,
    ),
    *_pair(
        "adaptive_max_pool2d",
        2,
        {"to 2x3": _adaptive(2, 3), "to 1x1": _adaptive(1, 1), "larger": _adaptive(7, 13)},
        _on_plane(lambda src: F.adaptive_max_pool2d(src, (2, 3)), 2),
        _max_backward,
    ),
    *_pair(
        "avg_pool2d", 2, _average_variants(2), _on_plane(lambda src: F.avg_pool2d(src, 3, 2, 1), 2), _average_backward
    ),
    *_pair(
        "avg_pool3d",
        3,
        _average_variants(3),
        _on_plane(lambda src: F.avg_pool3d(src, (1, 3, 3), 2, (0, 1, 1)), 3),
        _average_backward,
    ),
    Row(
        operator="aten::max_pool2d",
        dtypes=FORWARD,
        own=True,
        call=aten.max_pool2d.default,
        native=_max_variants(2),
        other={"unbatched": _max(2, 3)},
        function=_on_plane(lambda src: F.max_pool2d(src, 3, 2, 1), 2),
        invalid=(Invalid(_max(2, 2, padding=2), (2, 3, 6, 6), RuntimeError, "pad should be at most half"),),
        **_COMMON,
        **FLAT,
    ),
    *_pair(
        "max_pool2d_with_indices",
        2,
        _max_variants(2),
        _on_plane(lambda src: F.max_pool2d(src, 3, 2, 1), 2),
        _max_backward,
    ),
    *_pair(
        "max_pool3d_with_indices",
        3,
        _max_variants(3),
        _on_plane(lambda src: F.max_pool3d(src, (1, 3, 3), 2, (0, 1, 1)), 3),
        _max_backward,
    ),
)

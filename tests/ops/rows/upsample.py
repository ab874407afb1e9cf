"""Rows of upsampling, forward and backward."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from ..row import Arguments, Invalid, Make, Row, Shape, one

aten = torch.ops.aten

_COMMON: dict[str, Any] = {
    "shapes": ((1, 1, 3, 3), (2, 5, 7, 6), (2, 16, 9, 33), (3, 8, 12, 10)),
    "empty": ((0, 3, 6, 6),),
    "benchmark": ((1, 64, 56, 56), (4, 256, 28, 28)),
    "layout_shape": (4, 6, 8, 4),
    "hostile_shapes": ((3, 4, 4, 4),),
    "hostile_undefined": ("huge",),
    "dtype_shape": (2, 4, 6, 6),
    "threads_shape": (2, 16, 32, 32),
    "dtypes": (torch.float32,),
    "autocast": torch.float32,
    "inputs": one,
    "coefficient": (2, "weights of the two dimensions are multiplied first"),
}


def _forward(height: float, width: float, *flags: bool, scales: tuple[float | None, float | None]) -> Arguments:
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        return make(shape), [int(shape[2] * height), int(shape[3] * width)], *flags, *scales

    return arguments


def _backward(height: float, width: float, *flags: bool, scales: tuple[float | None, float | None]) -> Arguments:
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        size = [int(shape[2] * height), int(shape[3] * width)]
        return make((*shape[:2], *size)), size, list(shape), *flags, *scales

    return arguments


def _variants(make: Any, *flags: bool) -> dict[str, Arguments]:
    return {
        "twice": make(2, 2, *flags, scales=(2.0, 2.0)),
        "another size": make(1.7, 2.3, *flags, scales=(None, None)),
        "smaller": make(0.7, 0.5, *flags, scales=(None, None)),
        "scale given": make(1.5, 1.5, *flags, scales=(1.5, 1.5)),
    }


def _pair(name: str, mode: str, flags: tuple[bool, ...]) -> tuple[Row, Row]:
    forward, backward = {}, {}
    for flag in flags or (None,):
        given = () if flag is None else (flag,)
        suffix = ", corners aligned" if flag else ""
        forward |= {key + suffix: value for key, value in _variants(_forward, *given).items()}
        backward |= {key + suffix: value for key, value in _variants(_backward, *given).items()}

    def function(src: torch.Tensor) -> torch.Tensor:
        if src.dim() == 4:
            return F.interpolate(src, scale_factor=2, mode=mode)
        return F.interpolate(src[None, None], scale_factor=2, mode=mode)[0, 0, ::2, ::2]  # a matrix stays one

    return (
        Row(
            operator=f"aten::{name}",
            call=getattr(aten, name).default,
            native=forward,
            function=function,
            invalid=(
                Invalid(
                    lambda make, shape: (make(shape), [4], *flags[:1], None, None), (1, 2, 3, 3), RuntimeError, "size"
                ),
            ),
            **_COMMON,
        ),
        Row(
            operator=f"aten::{name}_backward",
            call=getattr(aten, f"{name}_backward").default,
            native=backward,
            function=function,
            **_COMMON,
        ),
    )


ROWS = (
    *_pair("_upsample_nearest_exact2d", "nearest-exact", ()),
    *_pair("upsample_bilinear2d", "bilinear", (False, True)),
    *_pair("upsample_nearest2d", "nearest", ()),
)

"""Rows of convolution, forward and backward. The shape of a row is that of the input."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from ..row import Arguments, Invalid, Make, Row, Shape

aten = torch.ops.aten

Geometry = tuple[list[int], list[int], list[int], bool, list[int], int]


def _geometry(
    dims: int,
    stride: int = 1,
    padding: int = 1,
    dilation: int = 1,
    transposed: bool = False,
    output_padding: int = 0,
    groups: int = 1,
) -> Geometry:
    return ([stride] * dims, [padding] * dims, [dilation] * dims, transposed, [output_padding] * dims, groups)


def _weights(make: Make, channels: int, dims: int, geometry: Geometry, out: int = 8, kernel: int = 3) -> torch.Tensor:
    transposed, groups = geometry[3], geometry[5]
    sizes = (channels, out // groups) if transposed else (out, channels // groups)
    weights = make((*sizes, *[kernel] * dims))
    return weights / 4 if weights.is_floating_point() else weights


def _forward(bias: bool = True, kernel: int = 3, out: int = 8, **options: Any) -> Arguments:
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        geometry = _geometry(len(shape) - 2, **options)
        weights = _weights(make, shape[1], len(shape) - 2, geometry, out, kernel)
        return make(shape), weights, make((out,)) if bias else None, *geometry

    return arguments


def _backward(mask: tuple[bool, bool, bool], kernel: int = 3, out: int = 8, **options: Any) -> Arguments:
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        src, weights, bias, *geometry = _forward(True, kernel, out, **options)(make, shape)
        dst = aten.convolution(src, weights, bias, *geometry)
        return make(tuple(dst.shape)), src, weights, [out], *geometry, list(mask)

    return arguments


def _fit(src: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """A convolution of an input of any rank; the tests of gradients use matrices, as images of one pixel."""
    dims = weight.dim() - 2
    if dims == 0:
        return F.conv1d(src[..., None], weight[..., None], bias)[:, :1, 0]
    return (F.conv1d, F.conv2d, F.conv3d)[dims - 1](src, weight, bias)


ALL = (True, True, True)


def _wanted_gradients(*arguments: Any) -> tuple[torch.Tensor | None, ...]:
    """convolution_backward; stock PyTorch computes some gradients that nobody asked for, depending on the backend."""
    made = aten.convolution_backward.default(*arguments)
    return tuple(gradient if wanted else None for gradient, wanted in zip(made, arguments[-1], strict=True))


_COMMON: dict[str, Any] = {
    "shapes": ((1, 8, 1, 1), (2, 8, 7), (2, 8, 3, 5, 4), (2, 8, 9, 6), (3, 8, 12, 12)),
    "empty": ((0, 8, 5, 5),),
    "benchmark": ((1, 64, 56, 56), (8, 128, 28, 28)),
    "dtypes": (torch.float32, torch.bfloat16),
    "autocast": torch.bfloat16,
    "layout_shape": (4, 8, 6, 6),
    "hostile_shapes": ((2, 8, 4, 4),),
    "hostile_nonfinite": "stock PyTorch multiplies infinity with the zeros of the padding or leaves these out, by backend",
    "dtype_shape": (2, 8, 5, 5),
    "inputs": lambda shape: (shape, (4, shape[1], *[1] * (len(shape) - 2)), (4,)),
    "function": _fit,
    "other_shape": (2, 8, 6, 6),
    "coefficient": (16, "long sums, in another order"),
    "threads_shape": (4, 8, 20, 20),
}


ROWS = (
    Row(
        operator="aten::convolution",
        call=aten.convolution.default,
        native={
            "3x3": _forward(),
            "without bias": _forward(bias=False),
            "strided": _forward(stride=2),
            "dilated": _forward(dilation=2, padding=2),
            "grouped": _forward(groups=2),
            "depthwise": _forward(groups=8),
            "odd channels": _forward(out=5),
            "pointwise": _forward(kernel=1, padding=0),
            "transposed": _forward(transposed=True, stride=2, output_padding=1),
            "transposed, grouped": _forward(transposed=True, groups=4),
            "transposed, output padding beyond the stride": _forward(transposed=True, dilation=2, output_padding=1),
        },
        other={
            "float64": lambda make, shape: tuple(
                value.double() if isinstance(value, torch.Tensor) else value for value in _forward()(make, shape)
            ),
        },
        invalid=(
            Invalid(_forward(groups=3), (2, 8, 5, 5), RuntimeError, "groups"),
            Invalid(_forward(stride=-1), (2, 8, 5, 5), RuntimeError, "stride"),
            Invalid(_forward(padding=0), (2, 8, 2, 2), RuntimeError, "Kernel size can't be greater"),
        ),
        **_COMMON,
    ),
    Row(
        operator="aten::convolution_backward",
        call=_wanted_gradients,
        # Whether a weight that is not finite meets zeros of the padding differs between oneDNN's kernels too.
        hostile_undefined=("huge", "transposed, grouped"),
        native={
            "3x3": _backward(ALL),
            "strided": _backward(ALL, stride=2),
            "dilated": _backward(ALL, dilation=2, padding=2),
            "grouped": _backward(ALL, groups=2),
            "depthwise": _backward(ALL, groups=8),
            "odd channels": _backward(ALL, out=5),
            "pointwise": _backward(ALL, kernel=1, padding=0),
            "input only": _backward((True, False, False)),
            "weights only": _backward((False, True, False)),
            "bias only": _backward((False, False, True)),
            "transposed": _backward(ALL, transposed=True, stride=2, output_padding=1),
            "transposed, grouped": _backward(ALL, transposed=True, groups=4),
        },
        other={"strided pointwise, few channels": _backward(ALL, kernel=1, padding=0, stride=2)},
        invalid=(
            Invalid(
                lambda make, shape: (*_backward(ALL)(make, shape)[:-3], [0], 3, list(ALL)),
                (2, 8, 5, 5),
                RuntimeError,
                "",
            ),
        ),
        **_COMMON,
    ),
)

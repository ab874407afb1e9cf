"""Rows of activation functions of one tensor and their gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from ..calls import overload
from ..row import Arguments, Invalid, Row, one

_SHAPES: dict[str, Any] = {
    "shapes": ((), (1,), (5,), (3, 17), (2, 1, 8), (2, 3, 4, 33), (4, 8, 128)),
    "empty": ((0,), (2, 0, 3)),
    "benchmark": ((1, 64, 112, 112), (16, 256, 14, 14), (1, 128, 3072)),
    "inputs": one,
    "own": True,
    "elementwise": True,
    "autocast": torch.bfloat16,
}

Function = Callable[[torch.Tensor], torch.Tensor]


def _unary(name: str, function: Function, *parameters: Any, out: str = "out", **more: Any) -> Row:
    """A function with the overloads name, name_ and name.out, called with the parameters after the tensor."""
    return Row(
        operator=f"aten::{name}",
        call=overload(name),
        native={"plain": lambda make, shape: (make(shape), *parameters)},
        inplace=f"aten::{name}_",
        out=f"aten::{name}.{out}" if out else "",
        function=function,
        **(_SHAPES | more),
    )


def _backward(name: str, function: Function, *parameters: Any, out: str = "grad_input", **more: Any) -> Row:
    """A gradient, called with two tensors and the parameters."""
    return Row(
        operator=f"aten::{name}",
        call=overload(name),
        native={"plain": lambda make, shape: (make(shape), make(shape), *parameters)},
        out=f"aten::{name}.{out}" if out else "",
        function=function,
        **(_SHAPES | more),
    )


def _smooth(function: Function) -> Function:
    """`function` where it has no kink for the random inputs of the tests, and with a second derivative."""
    return lambda src: function(src) * src


_GELU: dict[str, Arguments] = {
    "exact": lambda make, shape: (make(shape),),
    "tanh": lambda make, shape: (make(shape), {"approximate": "tanh"}),
}
_CLAMP: dict[str, Arguments] = {
    "both": lambda make, shape: (make(shape), -1, 1.5),
    "lower": lambda make, shape: (make(shape), 0.1),
    "upper": lambda make, shape: (make(shape), None, 0.1),
    "crossed": lambda make, shape: (make(shape), 1.5, -1),
}
_RELATIVE = {"coefficient": (4.0, "exp, tanh and erf are ours: a few units in the last place")}


def _gelu(src: torch.Tensor) -> torch.Tensor:
    return F.gelu(src) + F.gelu(src, approximate="tanh")


ROWS = (
    Row(
        operator="aten::gelu",
        call=torch.ops.aten.gelu.default,
        native=_GELU,
        inplace="aten::gelu_",
        out="aten::gelu.out",
        function=_gelu,
        hostile_nonfinite="stock PyTorch with AVX-512 makes NaN of infinity",
        invalid=(
            Invalid(lambda make, shape: (make(shape), {"approximate": "erf"}), (2, 3), RuntimeError, "approximate"),
        ),
        **_RELATIVE,
        **_SHAPES,
    ),
    Row(
        operator="aten::gelu_backward",
        call=torch.ops.aten.gelu_backward.default,
        native={
            "exact": lambda make, shape: (make(shape), make(shape)),
            "tanh": lambda make, shape: (make(shape), make(shape), {"approximate": "tanh"}),
            "different strides": lambda make, shape: (
                (make((*shape[:-2], *shape[:-3:-1])).mT, make(shape)) if len(shape) > 1 else (make(shape), make(shape))
            ),
        },
        out="aten::gelu_backward.grad_input",
        function=_gelu,
        **_RELATIVE,
        **_SHAPES,
    ),
    Row(
        operator="aten::relu",
        call=torch.ops.aten.relu.default,
        native={"plain": lambda make, shape: (make(shape),)},
        inplace="aten::relu_",
        function=_smooth(F.relu),
        **_SHAPES,
    ),
    _backward("threshold_backward", _smooth(F.relu), 0),
    _unary("sigmoid", torch.sigmoid, **_RELATIVE),
    _backward("sigmoid_backward", torch.sigmoid, coefficient=(4.0, "stock PyTorch rounds each step to half precision")),
    _unary("tanh", torch.tanh, **_RELATIVE),
    _backward("tanh_backward", torch.tanh, coefficient=(4.0, "stock PyTorch rounds each step to half precision")),
    _unary("silu", F.silu, **_RELATIVE),
    _backward("silu_backward", F.silu, **_RELATIVE),
    _unary("mish", F.mish, **_RELATIVE),
    _backward("mish_backward", F.mish, out="", **_RELATIVE),
    _unary("hardswish", _smooth(F.hardswish)),
    _backward("hardswish_backward", _smooth(F.hardswish), out=""),
    _unary("hardsigmoid", _smooth(F.hardsigmoid)),
    _backward("hardsigmoid_backward", _smooth(F.hardsigmoid)),
    _unary("hardtanh", _smooth(F.hardtanh), -0.5, 1.0),
    _backward("hardtanh_backward", _smooth(F.hardtanh), -0.5, 1.0),
    _unary("leaky_relu", _smooth(F.leaky_relu), 0.1),
    _backward("leaky_relu_backward", _smooth(F.leaky_relu), 0.1, False),
    _unary("elu", _smooth(F.elu), 1.5, 1.1, 0.9, **_RELATIVE),
    Row(
        operator="aten::elu_backward",
        call=torch.ops.aten.elu_backward.default,
        native={
            "of input": lambda make, shape: (make(shape), 1.5, 1.1, 0.9, False, make(shape)),
            "of result": lambda make, shape: (make(shape), 1.5, 1.1, 0.9, True, make(shape)),
        },
        out="aten::elu_backward.grad_input",
        function=_smooth(F.elu),
        **_RELATIVE,
        **_SHAPES,
    ),
    Row(
        operator="aten::clamp",
        call=torch.ops.aten.clamp.default,
        native=_CLAMP,
        inplace="aten::clamp_",
        out="aten::clamp.out",
        other={"NaN bound": lambda make, shape: (make(shape), float("nan"), 1.0)},
        function=_smooth(lambda src: torch.clamp(src, -0.5, 0.7)),
        invalid=(Invalid(lambda make, shape: (make(shape),), (2, 3), RuntimeError, "At least one of"),),
        **_SHAPES,
    ),
    _unary("clamp_min", _smooth(lambda src: torch.clamp_min(src, 0.2)), 0.2),
    _unary("clamp_max", _smooth(lambda src: torch.clamp_max(src, 0.2)), 0.2),
)

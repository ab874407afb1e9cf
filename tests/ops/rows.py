"""One row per native operator: what test_rows.py and benchmarks/ops.py need to know about it.

A row builds arguments from a function `make(shape)` that returns a CPU tensor. The tests choose what `make` returns: the
dtype, the memory layout, hostile values, float64 for the reference. So a row says nothing about layouts or dtypes; it says
what the operator's arguments look like.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F

aten = torch.ops.aten
Shape = tuple[int, ...]
Make = Callable[[Shape], torch.Tensor]
Arguments = Callable[[Make, Shape], tuple[Any, ...]]


# Kinds of hostile values, as test_rows.HOSTILE names them.
NOT_A_NUMBER = ("some NaN", "NaN among -inf")
INFINITE = ("some inf", "all inf", "inf and -inf")
NEGATIVE_INFINITE = ("some -inf", "all -inf")


@dataclass(frozen=True)
class Invalid:
    """A call that stock PyTorch refuses: on ipex it must raise the same class with a text that matches."""

    arguments: Arguments
    shape: Shape
    error: type[Exception]
    match: str


@dataclass(frozen=True)
class Row:
    """One native operator.

    Attributes:
        operator: full name.
        call: the operator.
        native: name -> arguments that the native kernel serves, for every shape of `shapes` and every layout.
        other: name -> arguments that the fallback serves, on `other_shape`.
        function: differentiable function of tensors that uses the operator forward or backward, on `shapes[-1]`.
        inputs: shapes of the tensors of `function`, given that shape.
        shapes: shapes for `native`; every kind of rank, a single element, rows that are no multiple of a vector.
        empty: shapes without elements.
        isa: oneDNN instruction sets that have a kernel, by the start of their name; empty means all.
        native_layouts: layouts of test_rows.LAYOUTS that the native kernel serves.
        hostile_other: kinds of test_rows.HOSTILE that make the kernel hand over to the fallback.
        dtypes: dtypes that the native kernel serves where the instruction set has them.
        autocast: dtype of the result of `function` on bfloat16 inputs under torch.autocast("ipex", bfloat16).
        invalid: calls that must fail.
        benchmark: shapes for benchmarks/ops.py, from real models.
        coefficient: factor on assert_close's tolerance, and why.
    """

    operator: str
    call: Callable[..., Any]
    native: Mapping[str, Arguments]
    function: Callable[..., torch.Tensor]
    inputs: Callable[[Shape], tuple[Shape, ...]]
    shapes: tuple[Shape, ...]
    empty: tuple[Shape, ...]
    benchmark: tuple[Shape, ...]
    autocast: torch.dtype
    other: Mapping[str, Arguments] = field(default_factory=dict)
    other_shape: Shape = (2, 3, 8)
    isa: tuple[str, ...] = ()
    native_layouts: tuple[str, ...] = ("contiguous", "transposed", "with gaps", "with offset", "expanded")
    hostile_other: tuple[str, ...] = ()
    dtypes: tuple[torch.dtype, ...] = (torch.float32, torch.bfloat16, torch.float16)
    invalid: tuple[Invalid, ...] = ()
    coefficient: tuple[float, str] = (1.0, "")

    @property
    def name(self) -> str:
        """The operator without its namespace, for test ids."""
        return self.operator.removeprefix("aten::")


def _one(shape: Shape) -> tuple[Shape, ...]:
    return (shape,)


def _softmax_arguments(dim: int, half_to_float: bool = False) -> Arguments:
    return lambda make, shape: (make(shape), dim, half_to_float)


def _softmax_backward_arguments(dim: int) -> Arguments:
    # Any numbers will do for `output`: the operator is a formula, and does not know what made them.
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        output = make(shape)
        return make(shape), output, dim, output.dtype

    return arguments


def _layer_norm_arguments(weight: bool, bias: bool, dims: int = 1) -> Arguments:
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        normalized = shape[-dims:]
        return make(shape), normalized, make(normalized) if weight else None, make(normalized) if bias else None, 1e-5

    return arguments


def _layer_norm_backward_arguments(weight: bool, bias: bool, mask: tuple[bool, bool, bool] | None = None) -> Arguments:
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        src, normalized, scale, shift, eps = _layer_norm_arguments(weight, bias)(make, shape)
        _, mean, rstd = aten.native_layer_norm(src, normalized, scale, shift, eps)
        return make(shape), src, normalized, mean, rstd, scale, shift, list(mask or (True, weight, bias))

    return arguments


_SOFTMAX = {
    "inputs": _one,
    "shapes": ((), (1,), (5,), (3, 17), (2, 1, 8), (2, 3, 4, 33), (4, 8, 128)),
    "empty": ((0,), (0, 4), (4, 0)),
    "benchmark": ((12, 128, 128), (8, 12, 384, 384), (32, 1000), (4, 30522)),
    "autocast": torch.float32,
}
_SOFTMAX_NATIVE = {
    "last dimension": _softmax_arguments(-1),
    "last dimension, counted from the front": lambda make, shape: (make(shape), max(len(shape) - 1, 0), False),
}
_SOFTMAX_OTHER = {"first dimension": _softmax_arguments(0), "middle dimension": _softmax_arguments(1)}
_SOFTMAX_INVALID = (
    Invalid(_softmax_arguments(3), (2, 3), IndexError, "Dimension out of range"),
    Invalid(_softmax_arguments(-1, half_to_float=True), (2, 3), RuntimeError, "half to float"),
)
_GELU: dict[str, Any] = {
    "inputs": _one,
    "shapes": ((), (1,), (7,), (3, 17), (2, 3, 4, 5), (4, 8, 128)),
    "empty": ((0,), (3, 0, 2)),
    "benchmark": ((128, 3072), (8, 384, 3072), (1024,), (16, 64, 56, 56)),
    "native_layouts": ("contiguous", "transposed", "with offset"),
}
_LAYER_NORM: dict[str, Any] = {
    "shapes": ((5,), (3, 17), (1, 1, 8), (2, 3, 4, 33), (4, 8, 128)),
    "empty": ((0, 4), (2, 0, 4)),
    "benchmark": ((128, 768), (8, 384, 768), (4096, 1024), (16, 64)),
    "dtypes": (torch.float32,),
    "autocast": torch.float32,
    "inputs": lambda shape: (shape, shape[-1:], shape[-1:]),
    "function": lambda src, weight, bias: F.layer_norm(src, src.shape[-1:], weight, bias),
}

ROWS: tuple[Row, ...] = (
    Row(
        operator="aten::_log_softmax",
        call=aten._log_softmax.default,
        native=_SOFTMAX_NATIVE,
        other=_SOFTMAX_OTHER,
        function=lambda src: F.log_softmax(src, -1),
        invalid=_SOFTMAX_INVALID,
        **_SOFTMAX,
    ),
    Row(
        operator="aten::_log_softmax_backward_data",
        call=aten._log_softmax_backward_data.default,
        native={"last dimension": _softmax_backward_arguments(-1)},
        other={"first dimension": _softmax_backward_arguments(0)},
        function=lambda src: F.log_softmax(src, -1),
        isa=("avx512",),
        hostile_other=(*NOT_A_NUMBER, *INFINITE),
        coefficient=(2, "the sum over a row is taken in another order"),
        **_SOFTMAX,
    ),
    Row(
        operator="aten::_softmax",
        call=aten._softmax.default,
        native=_SOFTMAX_NATIVE,
        other=_SOFTMAX_OTHER,
        function=lambda src: F.softmax(src, -1),
        invalid=_SOFTMAX_INVALID,
        **_SOFTMAX,
    ),
    Row(
        operator="aten::_softmax_backward_data",
        call=aten._softmax_backward_data.default,
        native={"last dimension": _softmax_backward_arguments(-1)},
        other={"first dimension": _softmax_backward_arguments(0)},
        function=lambda src: F.softmax(src, -1),
        isa=("avx512",),
        coefficient=(2, "the sum over a row is taken in another order"),
        **_SOFTMAX,
    ),
    Row(
        operator="aten::gelu",
        call=aten.gelu.default,
        native={
            "exact": lambda make, shape: (make(shape),),
            "tanh": lambda make, shape: (make(shape), {"approximate": "tanh"}),
        },
        function=lambda src: F.gelu(src) + F.gelu(src, approximate="tanh"),
        autocast=torch.bfloat16,
        invalid=(
            Invalid(lambda make, shape: (make(shape), {"approximate": "erf"}), (2, 3), RuntimeError, "approximate"),
        ),
        **_GELU,
    ),
    Row(
        operator="aten::gelu_backward",
        call=aten.gelu_backward.default,
        native={
            "exact": lambda make, shape: (make(shape), make(shape)),
            "tanh": lambda make, shape: (make(shape), make(shape), {"approximate": "tanh"}),
        },
        other={
            "different strides": lambda make, shape: (make((*shape[:-2], shape[-1], shape[-2])).mT, make(shape)),
        },
        function=lambda src: F.gelu(src) + F.gelu(src, approximate="tanh"),
        autocast=torch.bfloat16,
        hostile_other=(*NOT_A_NUMBER, *INFINITE, *NEGATIVE_INFINITE, "huge"),
        **_GELU,
    ),
    Row(
        operator="aten::native_layer_norm",
        call=aten.native_layer_norm.default,
        native={
            "weight and bias": _layer_norm_arguments(True, True),
            "weight": _layer_norm_arguments(True, False),
            "bias": _layer_norm_arguments(False, True),
            "neither": _layer_norm_arguments(False, False),
            "all dimensions": lambda make, shape: (make(shape), shape, *(make(shape).contiguous() for _ in "ab"), 1e-3),
        },
        hostile_other=("huge",),
        other={
            "one channel": lambda make, shape: (make((*shape, 1)), (1,), None, None, 1e-5),
            "float64": lambda make, shape: (make(shape).double(), shape[-1:], None, None, 1e-5),
        },
        invalid=(
            Invalid(
                lambda make, shape: (make(shape), (4,), None, None, 1e-5), (2, 3), RuntimeError, "normalized_shape"
            ),
            Invalid(lambda make, shape: (make(shape), (3,), make((4,)), None, 1e-5), (2, 3), RuntimeError, "weight"),
        ),
        **_LAYER_NORM,
    ),
    Row(
        operator="aten::native_layer_norm_backward",
        call=aten.native_layer_norm_backward.default,
        other={"one channel": lambda make, shape: _layer_norm_backward_arguments(True, True)(make, (*shape, 1))},
        native={
            "weight and bias": _layer_norm_backward_arguments(True, True),
            "weight": _layer_norm_backward_arguments(True, False),
            "bias": _layer_norm_backward_arguments(False, True),
            "neither": _layer_norm_backward_arguments(False, False),
            "input only": _layer_norm_backward_arguments(True, True, (True, False, False)),
            "parameters only": _layer_norm_backward_arguments(True, True, (False, True, True)),
        },
        hostile_other=("huge",),
        coefficient=(4, "sums over rows and channels are taken in another order"),
        **_LAYER_NORM,
    ),
)

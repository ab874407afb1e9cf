"""Row: what test_rows.py and benchmarks/ops.py need to know about one native operator.

A row builds arguments from a function `make(shape)` that returns a CPU tensor. The tests choose what `make` returns: the
dtype, the memory layout, hostile values, float64 for the reference. So a row says nothing about layouts or dtypes; it says
what the operator's arguments look like.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

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
        hostile_undefined: kinds of test_rows.HOSTILE whose result is rounding: sums of products that overflow or cancel
            depend on the order of summation, and on whether products are rounded before they are added.
            A name of `native` stands for all kinds.
        hostile_nonfinite: why NaN and infinity are one: the reason for which either may come out of hostile values.
        dtypes: dtypes that the native kernel serves where the instruction set has them.
        autocast: dtype of the result of `function` on bfloat16 inputs under torch.autocast("ipex", bfloat16).
        invalid: calls that must fail.
        benchmark: shapes for benchmarks/ops.py, from real models.
        coefficient: factor on assert_close's tolerance, and why.
        rounds_sums: whether stock PyTorch rounds partial sums to bfloat16, so that it is the one that is off.
        layout_shape: shape for the tests of memory layouts.
        hostile_shapes: shapes for the tests of hostile values; the last dimension is a multiple of 4.
        dtype_shape: shape for the tests of dtypes, mixed devices and untouched arguments.
        threads_shape: shape for the test of thread counts.
        physical: whether the kernel also serves inputs that lie in another dimension order than PyTorch shows.
        inplace: full name of the overload that writes into the first tensor, "aten::add_.Tensor"; it takes the arguments
            of `call`. Tested by test_written.py, as is `out`.
        out: full name of the overload that writes into given results, "aten::add.out"; the arguments of `call` and out=.
        own: whether the kernel is our own loop, which serves `dtypes` on every instruction set.
        elementwise: whether the result has the dimension order of the first tensor.
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
    hostile_undefined: tuple[str, ...] = ()
    hostile_nonfinite: str = ""
    dtypes: tuple[torch.dtype, ...] = (torch.float32, torch.bfloat16, torch.float16)
    invalid: tuple[Invalid, ...] = ()
    coefficient: tuple[float, str] = (1.0, "")
    rounds_sums: bool = False
    layout_shape: Shape = (4, 6, 32)
    hostile_shapes: tuple[Shape, ...] = ((6, 4), (6, 40))
    dtype_shape: Shape = (3, 40)
    threads_shape: Shape = (64, 1024)
    physical: bool = True
    inplace: str = ""
    out: str = ""
    own: bool = False
    elementwise: bool = False

    @property
    def name(self) -> str:
        """The operator without its namespace, for test ids."""
        return self.operator.removeprefix("aten::")

    @property
    def operators(self) -> tuple[str, ...]:
        """Every overload that the row tests."""
        return tuple(name for name in (self.operator, self.inplace, self.out) if name)


def one(shape: Shape) -> tuple[Shape, ...]:
    return (shape,)

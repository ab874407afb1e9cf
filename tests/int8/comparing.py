"""What a program in int8 should give, and how results are compared with that."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import torch_ipex_device as ipex
from torch_ipex_device import _C
from torch_ipex_device.device.explain import OperatorRow
from torch_ipex_device.int8 import Entry

from .reference import NEAR, Reference, Rounding

EXACT = _C.cpu_isa() not in ("sse41", "avx", "avx2", "avx512_core")
"""Whether sums of products are exact. Without VNNI oneDNN halves the weights of a convolution that reads int8, and adds pairs of
products in 16 bits, which saturate (oneDNN developer guide, "Nuances of int8 Computations")."""
ENOUGH = 15.0
"""Least signal-to-noise ratio of such results, in dB. A wrong operator or wrong scales give less than 5."""
needs_exact_sums = pytest.mark.skipif(not EXACT, reason="without VNNI sums of products saturate")


def exact(thing: Any) -> Any:
    """Returns a copy of a module or tensor in float64 on the CPU."""
    return copy.deepcopy(thing).cpu().double()


@dataclass
class Expected:
    """What a program should give.

    Attributes:
        exact: the result before it is rounded, float64.
        rounding: how it is rounded when an operator in int8 reads it; None: not at all.
        is_rounded: whether that has happened already.
        ties: values inside of the program that float32 may round otherwise.
    """

    exact: Tensor
    rounding: Rounding | None
    is_rounded: bool
    ties: int


@torch.no_grad()
def reference(model: nn.Module, entries: list[Entry], *inputs: Tensor) -> Expected:
    """Returns what `infer` should give; model and inputs are copied from wherever they are."""
    model, inputs = exact(model), tuple(map(exact, inputs))
    with Reference(entries) as run:
        result = model(*inputs)
    values = run.values_of(result)
    if values is None or values.due is None:
        return Expected(result, None, False, run.ties(result))
    if values.exact is None:
        return Expected(result, values.due, False, run.ties(result))
    return Expected(values.exact.reshape_as(result), values.due, True, run.ties(result))


def int8_ran(rows: Sequence[OperatorRow]) -> bool:
    """Whether int8 values were multiplied, as far as names of implementations tell."""
    names = [row.implementations for row in rows if row.implementations]
    if _C.cpu_isa() != "avx512_core_vnni":
        return bool(names)
    return any(word in name for name in names for word in ("vnni", "int8", "s8"))


def assert_float(actual: Tensor, expected: Expected) -> None:
    """Asserts that a result that nobody has rounded is that of the reference, to float32 rounding."""
    step = 1.0 if expected.rounding is None else 1 / expected.rounding.scale
    torch.testing.assert_close(actual.cpu().double(), expected.exact, rtol=1e-5, atol=max(NEAR * step, 1e-6))


def assert_alike(actual: Tensor, expected: Expected) -> None:
    """Asserts that a result is that of the reference, but for sums that are not exact."""
    rounding = expected.rounding
    wanted = expected.exact if rounding is None else rounding(expected.exact)
    noise = actual.cpu().double() - wanted
    sqnr = 10 * math.log10(float(wanted.square().sum() / noise.square().sum().clamp(min=1e-300)))
    assert sqnr > ENOUGH or not wanted.any()


def assert_held_in_int8(actual: Tensor, expected: Expected) -> None:
    """Asserts that a tensor has no float32 values."""
    assert expected.rounding is not None
    form = ipex.physical_form(actual)
    assert form.dtype == ("Byte" if expected.rounding.uint8 else "Char"), form


def assert_rounded(actual: Tensor, expected: Expected) -> None:
    """Asserts that a rounded result has the whole numbers of the reference, but for ties."""
    rounding = expected.rounding
    assert rounding is not None
    steps = actual.cpu().double() * rounding.scale
    whole, wanted = steps.round(), rounding.steps(expected.exact)
    assert (steps - whole).abs().max() < 1e-3
    differs = whole != wanted.round()
    is_near = (wanted - whole).abs() <= 0.5 + NEAR
    assert not (differs & ~is_near).any(), (whole[differs & ~is_near][:5], wanted[differs & ~is_near][:5])

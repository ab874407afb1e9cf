"""Runs programs on ipex in int8 and in float64 on the CPU, and compares them."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

import torch_ipex_device as ipex
from torch_ipex_device import _C
from torch_ipex_device.int8 import Entry

from .reference import NEAR, Reference, Rounding

Edit = Callable[[list[Entry]], None]
EXACT = _C.cpu_isa() not in ("sse41", "avx", "avx2", "avx512_core")
"""Whether sums of products are exact. Without VNNI oneDNN halves the weights of a convolution that reads int8, and adds pairs of
products in 16 bits, which saturate (oneDNN developer guide, "Nuances of int8 Computations")."""
ENOUGH = 15.0
"""Least signal-to-noise ratio of such results, in dB. A wrong operator or wrong scales give less than 5."""
needs_exact_sums = pytest.mark.skipif(not EXACT, reason="without VNNI sums of products saturate")


class Program(nn.Module):
    """A module whose forward is a function of the module and the inputs.

    Example:
        >>> Program(lambda m, x: F.relu(m.conv(x)), conv=nn.Conv2d(3, 4, 1))
    """

    def __init__(self, body: Callable[..., Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.body = body
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.eval()

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.body(self, *inputs)


@contextlib.contextmanager
def fusion(enabled: bool) -> Iterator[None]:
    """Turns eager fusion on or off for a block."""
    before = torch.ipex.eager_fusion()
    torch.ipex.set_eager_fusion(enabled)
    try:
        yield
    finally:
        torch.ipex.set_eager_fusion(before)


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Sets the number of threads for a block. Few numbers are computed faster by one."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def on_device(thing):
    """Returns a copy of a module or tensor on ipex."""
    return copy.deepcopy(thing).to("ipex")


def exact(thing):
    """Returns a copy of a module or tensor in float64 on the CPU."""
    return copy.deepcopy(thing).cpu().double()


def values(*sizes: int, uint8: bool = False, layout: torch.memory_format = torch.contiguous_format):
    """Returns a function that makes the input with the number n; without negative values if it is to be uint8."""

    def make(number: int) -> Tensor:
        x = torch.randn(*sizes, generator=torch.Generator().manual_seed(number))
        return (x.abs() if uint8 else x).contiguous(memory_format=layout)

    return make


def batch_norm(channels: int, dims: int = 2) -> nn.Module:
    """Returns a batch norm with statistics and parameters that matter."""
    norm = [nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d][dims - 1](channels)
    for values in (norm.running_mean, norm.weight, norm.bias):
        assert values is not None
        values.data.normal_(0.2, 0.6)
    assert norm.running_var is not None
    norm.running_var.uniform_(0.1, 1)
    return norm


def per_tensor(entries: list[Entry]) -> None:
    """An edit: weights have one scale."""
    for entry in entries:
        entry.weight_granularity = "per_tensor"


@torch.no_grad()
def calibrate(model: nn.Module, *inputs: Tensor, edit: Edit | None = None, probe: bool = True) -> ipex.AmpConf:
    """Returns a recipe in which everything computes in int8, unless `edit` says otherwise.

    Args:
        model: on ipex.
        inputs: on ipex.
        edit: changes the entries.
        probe: whether the recipe ends with the entry of an operator that reads the result in int8.
    """
    conf = ipex.AmpConf(torch.int8)
    with ipex.AutoMixPrecision(conf, "calibration"):
        result = model(*inputs)
        if probe:
            read_in_int8(result)
        result.cpu()
    entries = conf.calibration.entries()
    for entry in entries:
        entry.quantized = True
    if edit is not None:
        edit(entries)
    conf.calibration.replace(entries)
    return conf


def read_in_int8(tensor: Tensor) -> Tensor:
    """An operator that reads a tensor of any shape in int8."""
    return torch.cat([tensor])


@torch.no_grad()
def infer(model: nn.Module, conf: ipex.AmpConf, *inputs: Tensor) -> Tensor:
    """Returns the result in int8, on ipex, which nobody has read."""
    with ipex.AutoMixPrecision(conf, "inference"):
        return model(*inputs)


@torch.no_grad()
def infer_and_probe(model: nn.Module, conf: ipex.AmpConf, *inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the result, and what an operator that reads it in int8 gets."""
    with ipex.AutoMixPrecision(conf, "inference"):
        result = model(*inputs)
        return result, read_in_int8(result)


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


def int8_ran(rows: tuple[ipex.OperatorRow, ...]) -> bool:
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


def check(
    model: nn.Module,
    make: Callable[[int], Tensor],
    edit: Edit | None = None,
    multiplies: bool = True,
    fused: Sequence[bool] = (True, False),
    held: bool = True,
    falls_back: bool | None = False,
    count: int = 1,
) -> None:
    """Asserts that a program gives what the reference gives: fused and not, read in float32 and in int8.

    Where sums are not exact, results have to be alike only, and those of linear layers are not compared (test_kernels_linear).

    Args:
        model: on the CPU.
        make: the input with the number n, on the CPU. Number 0 is for calibration.
        edit: changes the entries of the recipe.
        multiplies: whether the program multiplies in int8, which oneDNN does.
        fused: whether eager fusion is on.
        held: whether the result is open before somebody reads it in int8, so that there are no float32 values afterwards.
        falls_back: whether the program has operators that only the CPU has; None: perhaps.
        count: of threads.
    """
    with threads(count):
        there = on_device(model)
        conf = calibrate(there, make(0).to("ipex"), edit=edit)
        x, expected = without_ties(model, conf.calibration.entries(), make)
        for is_fused in fused:
            with fusion(is_fused):
                with ipex.explain() as explanation:
                    result, rounded = infer_and_probe(there, conf, x.to("ipex"))
                is_exact = EXACT or not multiplies
                if is_exact:
                    assert_rounded(rounded, expected)
                elif not any(isinstance(layer, nn.Linear) for layer in model.modules()):
                    assert_alike(rounded, expected)
                if is_fused and held:
                    assert_held_in_int8(result, expected)
                fell_back = any(row.path == "fallback" for row in explanation.rows)
                assert falls_back in (None, fell_back), str(explanation)
                assert int8_ran(explanation.rows) or not multiplies, str(explanation)
                result = infer(there, conf, x.to("ipex"))
                if is_exact:
                    (assert_rounded if expected.is_rounded else assert_float)(result, expected)


def without_ties(model: nn.Module, entries: list[Entry], make: Callable[[int], Tensor]) -> tuple[Tensor, Expected]:
    """Returns an input, and what comes of it, for which rounding inside of the program does not depend on float32."""
    for number in range(1, 100):
        x = make(number)
        expected = reference(model, entries, x)
        if expected.ties == 0:
            return x, expected
    raise AssertionError("every input has values that are near to a tie")

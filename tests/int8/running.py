"""Runs programs on ipex in int8, and compares what they give with the reference."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

import torch_ipex_device as ipex
from torch_ipex_device.int8 import Entry

from .comparing import (
    EXACT,
    Expected,
    assert_alike,
    assert_float,
    assert_held_in_int8,
    assert_rounded,
    int8_ran,
    reference,
)

Edit = Callable[[list[Entry]], None]
Make = Callable[[int], Tensor]
"""Returns the input with a number, on the CPU."""


class Ties(AssertionError):
    """A program cannot be compared: it rounds numbers that lie between two steps, such as the sigmoid of 0."""


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


def on_device(thing: Any) -> Any:
    """Returns a copy of a module or tensor on ipex."""
    return copy.deepcopy(thing).to("ipex")


def values(*sizes: int, uint8: bool = False, layout: torch.memory_format = torch.contiguous_format) -> Make:
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


def check(
    model: nn.Module,
    make: Make,
    edit: Edit | None = None,
    multiplies: bool = True,
    fused: Sequence[bool] = (True, False),
    falls_back: bool | None = False,
) -> None:
    """Asserts that a program gives what the reference gives: fused and not, read in float32 and in int8.

    Where sums are not exact, results have to be alike only, and those of linear layers are not compared (test_kernels_linear).

    Args:
        model: on the CPU.
        make: the input with the number n, on the CPU. Number 0 is for calibration.
        edit: changes the entries of the recipe.
        multiplies: whether the program multiplies in int8, which oneDNN does.
        fused: whether eager fusion is on.
        falls_back: whether the program has operators that only the CPU has; None: perhaps.
    """
    with threads(1):
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
                assert_held_in_int8(result, expected)
                fell_back = any(row.path == "fallback" for row in explanation.rows)
                assert falls_back in (None, fell_back), str(explanation)
                assert int8_ran(explanation.rows) or not multiplies, str(explanation)
                result = infer(there, conf, x.to("ipex"))
                if is_exact:
                    (assert_rounded if expected.is_rounded else assert_float)(result, expected)


def without_ties(model: nn.Module, entries: list[Entry], make: Make) -> tuple[Tensor, Expected]:
    """Returns an input, and what comes of it, for which rounding inside of the program does not depend on float32."""
    for number in range(1, 100):
        x = make(number)
        expected = reference(model, entries, x)
        if expected.ties == 0:
            return x, expected
    raise Ties("every input has values that are near to a tie")

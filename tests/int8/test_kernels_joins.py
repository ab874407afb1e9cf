"""Sums, products and concatenations in int8 against the reference; operators that compute in float32 in between."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from .blocks import FUSED, IMAGE, block, branches, identity
from .comparing import needs_exact_sums
from .running import Program, batch_norm, check, values

SUMS = {
    "y + x": lambda y, x: y + x,
    "x + y": lambda y, x: x + y,
    "y += x": lambda y, x: y.__iadd__(x),
    "y.add_(x)": lambda y, x: y.add_(x),
    "add, alpha": lambda y, x: torch.add(y, x, alpha=2),
    "x += y": lambda y, x: x.__iadd__(y),
    "reversed add, alpha": lambda y, x: torch.add(x, y, alpha=-0.5),
    "y.add_(x), alpha": lambda y, x: y.add_(x, alpha=1.5),
}
PRODUCTS = {
    "y * x": lambda y, x: y * x,
    "x * y": lambda y, x: x * y,
    "y *= x": lambda y, x: y.__imul__(x),
    "x *= y": lambda y, x: x.__imul__(y),
    "y.mul_(x)": lambda y, x: y.mul_(x),
}


@FUSED
def test_channels_last_block(fused):
    check(block(SUMS["x + y"]), values(2, 3, 6, 5, layout=torch.channels_last), fused=[fused])


@FUSED
@pytest.mark.parametrize("start", [F.relu, identity], ids=["uint8", "int8"])
@pytest.mark.parametrize("join", SUMS | PRODUCTS)
def test_block(join, start, fused):
    check(block((SUMS | PRODUCTS)[join], start), IMAGE, fused=[fused])


@FUSED
@pytest.mark.parametrize("join", SUMS | PRODUCTS)
def test_block_with_a_convolution_as_shortcut(join, fused):
    check(block((SUMS | PRODUCTS)[join], down=True), IMAGE, fused=[fused])


@FUSED
@pytest.mark.parametrize(
    "end", [identity, F.relu, F.relu6, F.hardswish, torch.sigmoid, lambda y: F.relu(y, inplace=True)]
)
def test_functions_behind_a_sum(end, fused):
    check(block(SUMS["y + x"], end=end), IMAGE, fused=[fused])


@FUSED
@pytest.mark.parametrize("shortcut", [False, True], ids=["to int8", "to uint8"])
def test_scales_and_types_as_somebody_wrote_them(shortcut, fused):
    def edit(entries):
        for number, entry in enumerate(entries):
            entry.outputs_scale[0] *= 0.7 + 0.1 * (number % 5)
            if entry.name in ("Relu", "Add"):
                entry.outputs_uint8_used = [shortcut]
                entry.outputs_scale[0] *= 1 if shortcut else 0.5

    check(block(SUMS["y + x"]), IMAGE, edit, fused=[fused])


NAMES = ["Convolution", "Relu", "Convolution", "BatchNorm", "Relu", "Convolution", "BatchNorm", "Add", "Relu"]


@FUSED
@pytest.mark.parametrize("number", range(len(NAMES)), ids=lambda number: f"{number} {NAMES[number]}")
def test_one_operator_in_float32(number, fused):
    def edit(entries):
        assert [entry.name for entry in entries[: len(NAMES)]] == NAMES
        entries[number].quantized = False

    check(block(SUMS["y + x"]), IMAGE, edit, fused=[fused])


@FUSED
def test_all_but_convolutions_in_float32(fused):
    def edit(entries):
        for entry in entries[:-1]:
            entry.quantized = entry.name == "Convolution"

    check(block(SUMS["y + x"]), IMAGE, edit, fused=[fused])


@FUSED
@pytest.mark.parametrize("gate", [torch.sigmoid, F.hardsigmoid])
@pytest.mark.parametrize("form", ["x * gate", "gate * x", "x *= gate"])
def test_squeeze_and_excitation(form, gate, fused):
    def body(m, x):
        x = F.hardswish(m.norm(m.conv(x)))
        scale = gate(m.up(F.relu(m.down(F.adaptive_avg_pool2d(x, 1)))))
        if form == "x *= gate":
            x *= scale
            return m.last(x)
        return m.last(x * scale if form == "x * gate" else scale * x)

    torch.manual_seed(0)
    layers = {
        "conv": nn.Conv2d(3, 10, 3, padding=1),
        "norm": batch_norm(10),
        "down": nn.Conv2d(10, 4, 1),
        "up": nn.Conv2d(4, 10, 1),
        "last": nn.Conv2d(10, 4, 1),
    }
    check(Program(body, **layers), IMAGE, fused=[fused])


@FUSED
@pytest.mark.parametrize("name", ["a + b", "b + a", "a * b", "a + x", "x + a", "a += b"])
def test_two_results_that_nobody_has_rounded(name, fused):
    joins = {
        "a + b": lambda x, a, b: a + b,
        "b + a": lambda x, a, b: b + a,
        "a * b": lambda x, a, b: a * b,
        "a + x": lambda x, a, b: a[:, :3] + x,
        "x + a": lambda x, a, b: x + a[:, :3],
        "a += b": lambda x, a, b: a.__iadd__(b),
    }
    check(branches(joins[name]), IMAGE, fused=[fused])


@FUSED
@pytest.mark.parametrize("join", [torch.add, torch.mul])
def test_a_result_with_itself(join, fused):
    def body(m, x):
        y = m.conv(x)
        return join(y, y)

    torch.manual_seed(0)
    check(Program(body, conv=nn.Conv2d(3, 7, 1)), IMAGE, fused=[fused])


@needs_exact_sums
@pytest.mark.parametrize("fused", [True, False], ids=["fused", "not fused"])
@pytest.mark.parametrize("join", [torch.Tensor.add_, torch.Tensor.mul_])
def test_a_result_with_itself_in_place(join, fused):
    def body(m, x):
        y = m.conv(x)
        return join(y, y)

    torch.manual_seed(0)
    check(Program(body, conv=nn.Conv2d(3, 7, 1)), IMAGE, fused=[fused])


@FUSED
def test_two_results_that_were_rounded(fused):
    def body(m, x):
        a, b = F.relu(m.one(x)), m.two(x)
        c = m.three(a) + m.three(b)
        return m.last(c * (a + b))

    torch.manual_seed(0)
    layers = {
        "one": nn.Conv2d(3, 7, 1),
        "two": nn.Conv2d(3, 7, 1),
        "three": nn.Conv2d(7, 7, 1),
        "last": nn.Conv2d(7, 4, 1),
    }
    check(Program(body, **layers), IMAGE, fused=[fused])

"""Sums, products and concatenations in int8 against the reference; operators that compute in float32 in between."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from .running import Program, batch_norm, check, needs_exact_sums, values

FUSED = pytest.mark.parametrize("fused", [True, False], ids=["fused", "not fused"])
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


def block(join, start=F.relu, end=F.relu, down=False):
    """A convolution, a block with a shortcut, perhaps a convolution too, and a convolution behind it."""

    def body(m, x):
        x = start(m.stem(x))
        y = m.norm2(m.conv2(F.relu(m.norm1(m.conv1(x)))))
        shortcut = m.norm3(m.down(x)) if down else x
        return m.last(end(join(y, shortcut)))

    torch.manual_seed(0)
    stride = 2 if down else 1
    return Program(
        body,
        stem=nn.Conv2d(3, 9, 3, padding=1),
        conv1=nn.Conv2d(9, 11, 3, stride=stride, padding=1, bias=False),
        norm1=batch_norm(11),
        conv2=nn.Conv2d(11, 9, 1, bias=False),
        norm2=batch_norm(9),
        down=nn.Conv2d(9, 9, 1, stride=stride, bias=False),
        norm3=batch_norm(9),
        last=nn.Conv2d(9, 4, 1),
    )


def identity(x):
    return x


IMAGE = values(2, 3, 6, 5)
NOT_ROUNDED = "without fusion a small result in the order of its strides keeps its float32 values when it is rounded"


@needs_exact_sums
@pytest.mark.parametrize(
    "fused", [True, pytest.param(False, marks=pytest.mark.xfail(reason=NOT_ROUNDED))], ids=["fused", "not fused"]
)
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
@pytest.mark.parametrize("end", [identity, F.relu, F.relu6, F.hardswish, torch.sigmoid, lambda y: F.relu(y, inplace=True)])
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


def branches(join, in_front=identity):
    """Two convolutions of different ranges, whose results are joined for a third one."""

    def body(m, x):
        return m.last(join(x, F.relu(m.small(x)), in_front(m.large(x))))

    torch.manual_seed(0)
    small, large, last = nn.Conv2d(3, 7, 3, padding=1), nn.Conv2d(3, 7, 1), nn.LazyConv2d(4, 1)
    large.weight.data.mul_(6)
    program = Program(body, small=small, large=large, last=last)
    with torch.no_grad():
        program(IMAGE(0))
    return program


CATS = {
    "two": lambda x, a, b: torch.cat([a, b], 1),
    "three": lambda x, a, b: torch.cat([b, a, b], 1),
    "with the input": lambda x, a, b: torch.cat([x, a, b], 1),
    "along the batch": lambda x, a, b: torch.cat([a, b], 0),
    "along rows": lambda x, a, b: torch.cat([a, b], 2),
    "along columns": lambda x, a, b: torch.cat([a, b], -1),
    "twice": lambda x, a, b: torch.cat([torch.cat([a, b], 1), a], 1),
    "with relu": lambda x, a, b: F.relu(torch.cat([a, b], 1)),
    "with batch norm": lambda x, a, b: F.batch_norm(torch.cat([a, b], 1), torch.ones(14).to(x), torch.full((14,), 0.3).to(x)),
    "with a pool": lambda x, a, b: F.max_pool2d(torch.cat([a, b], 1), 2),
    "of pools": lambda x, a, b: torch.cat([F.max_pool2d(a, 2), F.avg_pool2d(b, 2)], 1),
}


@FUSED
@pytest.mark.parametrize("name", CATS)
def test_concatenation(name, fused):
    check(branches(CATS[name]), IMAGE, fused=[fused])


PARTS = {
    "cat": lambda a, b: torch.cat([a, b], 1),
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "in place": lambda a, b: (a * 1).add_(b),
}


@FUSED
@pytest.mark.parametrize("part", ["channels", "rows", "images"])
@pytest.mark.parametrize("name", PARTS)
def test_parts(name, part, fused):
    def body(m, x):
        y = m.first(x)
        z = m.second(y)
        if part == "images":
            return m.last(PARTS[name](y[:1], z[1:]))
        if part == "rows":
            return m.last(PARTS[name](y[:, :, 1:5], z[:, :, 2:]))
        return m.last(PARTS[name](y[:, :4], z[:, 2:6]))

    torch.manual_seed(0)
    layers = {"first": nn.Conv2d(3, 6, 1), "second": nn.Conv2d(6, 6, 1), "last": nn.LazyConv2d(4, 1)}
    program = Program(body, **layers)
    with torch.no_grad():
        program(IMAGE(0))
    check(program, IMAGE, fused=[fused])


@FUSED
def test_concatenation_in_float32(fused):
    def edit(entries):
        next(entry for entry in entries if entry.name == "Cat").quantized = False

    check(branches(CATS["two"]), IMAGE, edit, fused=[fused])


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


@FUSED
def test_two_results_that_were_rounded(fused):
    def body(m, x):
        a, b = F.relu(m.one(x)), m.two(x)
        c = m.three(a) + m.three(b)
        return m.last(c * (a + b))

    torch.manual_seed(0)
    layers = {"one": nn.Conv2d(3, 7, 1), "two": nn.Conv2d(3, 7, 1), "three": nn.Conv2d(7, 7, 1), "last": nn.Conv2d(7, 4, 1)}
    check(Program(body, **layers), IMAGE, fused=[fused])


@FUSED
def test_more_branches_than_stay_open(fused):
    def body(m, x):
        x = F.relu(m.stem(x))
        return m.last(torch.cat([F.relu(conv(x)) for conv in m.branches], 1))

    torch.manual_seed(0)
    branches = nn.ModuleList([nn.Conv2d(6, 3 + size % 3, size, padding=size // 2) for size in (1, 3, 5, 1, 3, 1, 3)])
    last = nn.Conv2d(sum(conv.out_channels for conv in branches), 4, 1)
    check(Program(body, stem=nn.Conv2d(3, 6, 1), branches=branches, last=last), IMAGE, fused=[fused])


@FUSED
def test_dense_block(fused):
    def body(m, x):
        features = [F.relu(m.stem(x))]
        for norm, conv in ((m.norm1, m.conv1), (m.norm2, m.conv2)):
            features.append(conv(F.relu(norm(torch.cat(features, 1)))))
        return m.last(torch.cat(features, 1))

    torch.manual_seed(0)
    layers = {
        "stem": nn.Conv2d(3, 6, 3, padding=1),
        "norm1": batch_norm(6),
        "conv1": nn.Conv2d(6, 5, 3, padding=1),
        "norm2": batch_norm(11),
        "conv2": nn.Conv2d(11, 5, 3, padding=1),
        "last": nn.Conv2d(16, 4, 1),
    }
    check(Program(body, **layers), IMAGE, fused=[fused])

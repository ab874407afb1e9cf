"""What follows a convolution in int8 against the reference: batch norm and functions, out of place and in place."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from .running import Program, batch_norm, check, values

FUNCTIONS = {
    "gelu": F.gelu,
    "gelu, tanh": lambda y: F.gelu(y, approximate="tanh"),
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "hardtanh": lambda y: F.hardtanh(y, -0.3, 0.4),
    "relu": torch.relu,
    "relu6": F.relu6,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
}
IN_PLACE = {
    "hardsigmoid_": lambda y: F.hardsigmoid(y, inplace=True),
    "hardswish_": lambda y: F.hardswish(y, inplace=True),
    "hardtanh_": lambda y: F.hardtanh(y, -0.3, 0.4, inplace=True),
    "relu_": lambda y: y.relu_(),
    "relu6_": lambda y: F.relu6(y, inplace=True),
    "sigmoid_": lambda y: y.sigmoid_(),
    "silu_": lambda y: F.silu(y, inplace=True),
}
# No operators of the recipe: they compute in float32, and what reads them rounds as it says.
OTHERS = {
    "abs": torch.abs,
    "add a number": lambda y: y + 0.3,
    "add_ a number": lambda y: y.add_(0.3),
    "clamp": lambda y: y.clamp(-0.2, 0.5),
    "elu": F.elu,
    "leaky_relu": lambda y: F.leaky_relu(y, 0.1),
    "leaky_relu_": lambda y: F.leaky_relu_(y, 0.1),
    "mul by a number": lambda y: y * 1.7,
    "sub": lambda y: y - 0.3,
    "tanh": torch.tanh,
    "tanh_": lambda y: y.tanh_(),
    "upsample": lambda y: F.interpolate(y, scale_factor=2),
}
ALL = FUNCTIONS | IN_PLACE | OTHERS
FUSED = pytest.mark.parametrize("fused", [True, False], ids=["fused", "not fused"])


def layers():
    torch.manual_seed(0)
    return {"first": nn.Conv2d(5, 19, 3, padding=1), "norm": batch_norm(19), "last": nn.Conv2d(19, 4, 1)}


@FUSED
@pytest.mark.parametrize("name", ALL)
def test_between_convolutions(name, fused):
    check(Program(lambda m, x: m.last(ALL[name](m.first(x))), **layers()), values(2, 5, 5, 6), fused=[fused])


@FUSED
@pytest.mark.parametrize("name", FUNCTIONS | IN_PLACE)
def test_at_the_end(name, fused):
    check(Program(lambda m, x: ALL[name](m.first(x)), **layers()), values(2, 5, 5, 6), fused=[fused])


@FUSED
@pytest.mark.parametrize("name", ALL)
def test_behind_a_batch_norm(name, fused):
    check(Program(lambda m, x: m.last(ALL[name](m.norm(m.first(x)))), **layers()), values(2, 5, 5, 6), fused=[fused])


@FUSED
def test_batch_norm_at_the_end(fused):
    check(Program(lambda m, x: m.norm(m.first(x)), **layers()), values(2, 5, 5, 6), fused=[fused])


@FUSED
@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_in_front(affine, fused):
    norm = nn.BatchNorm2d(5, affine=affine)
    check(Program(lambda m, x: m.first(F.relu(m.front(x))), front=norm, **layers()), values(2, 5, 5, 6), fused=[fused])


@FUSED
@pytest.mark.parametrize("last", [False, True], ids=["contiguous", "channels last"])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_dimensions(dims, last, fused):
    torch.manual_seed(0)
    conv = [nn.Conv1d, nn.Conv2d, nn.Conv3d][dims - 1]
    program = Program(
        lambda m, x: m.last(F.relu(m.norm(m.first(x)))),
        first=conv(5, 19, 3, padding=1),
        norm=batch_norm(19, dims),
        last=conv(19, 4, 1),
    )
    layout = [torch.contiguous_format, torch.channels_last, torch.channels_last_3d][dims - 1 if last else 0]
    check(program, values(2, 5, *(4, 5, 6)[:dims], layout=layout), fused=[fused])


@FUSED
def test_many_functions(fused):
    def body(m, x):
        y = m.first(x)
        for _ in range(3):
            y = F.silu(F.hardswish(torch.sigmoid(y * 2) + 0.1))
        return m.last(F.relu(m.norm(y)))

    check(Program(body, **layers()), values(2, 5, 5, 6), fused=[fused])


@FUSED
def test_a_function_of_values_that_were_rounded(fused):
    def body(m, x):
        y = m.first(x)
        z = m.last(y)
        return m.other(F.hardswish(m.norm(y))) + z

    check(Program(body, other=nn.Conv2d(19, 4, 1), **layers()), values(2, 5, 5, 6), fused=[fused])


@FUSED
def test_a_function_before_and_after_rounding(fused):
    def body(m, x):
        y = m.first(x)
        before = torch.sigmoid(y)
        z = m.last(y)
        after = torch.sigmoid(y)
        return torch.cat([z, before, after], 1)

    check(Program(body, **layers()), values(2, 5, 5, 6), fused=[fused])


@FUSED
def test_in_place_on_values_that_were_rounded(fused):
    def body(m, x):
        y = m.first(x)
        z = m.last(y)
        return m.other(y.relu_()) + z

    check(Program(body, other=nn.Conv2d(19, 4, 1), **layers()), values(2, 5, 5, 6), fused=[fused])


@FUSED
def test_values_written_by_the_program_are_rounded_by_their_reader(fused):
    def body(m, x):
        y = m.first(x)
        m.last(y)
        y[:, 3] = 0.25
        return m.other(y)

    check(Program(body, other=nn.Conv2d(19, 4, 1), **layers()), values(2, 5, 5, 6), fused=[fused])


@FUSED
@pytest.mark.parametrize("parts", [2, 4])
def test_parts_of_channels(parts, fused):
    def body(m, x):
        y = F.relu(m.first(x))
        return m.last(torch.cat([m.part(each) for each in y.chunk(parts, 1)], 1))

    torch.manual_seed(0)
    width = 16 // parts
    convs = {"first": nn.Conv2d(5, 16, 3), "part": nn.Conv2d(width, width, 1), "last": nn.Conv2d(16, 4, 1)}
    check(Program(body, **convs), values(2, 5, 6, 7), fused=[fused])


@FUSED
@pytest.mark.parametrize("dims", [(2, 3), (1, 2)])
def test_transposed(dims, fused):
    def body(m, x):
        return m.last(m.first(x).transpose(*dims))

    torch.manual_seed(0)
    program = Program(body, first=nn.Conv2d(5, 6, 1), last=nn.Conv2d(6, 4, 1))
    check(program, values(2, 5, 6, 6), fused=[fused])


@FUSED
@pytest.mark.parametrize("edge", [1, -1], ids=["larger", "smaller"])
def test_padding_in_front_of_a_convolution(edge, fused):
    def body(m, x):
        return m.last(F.pad(m.first(x), (edge, edge, 0, 1)))

    check(Program(body, **layers()), values(2, 5, 5, 6), fused=[fused])


@FUSED
def test_an_operator_that_only_the_cpu_has(fused):
    def body(m, x):
        return m.last(F.softplus(m.first(x)))

    check(Program(body, **layers()), values(2, 5, 5, 6), fused=[fused], falls_back=True)

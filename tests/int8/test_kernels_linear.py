"""Linear layers in int8 against the reference: shapes, types, and what follows them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from .running import Program, check, per_tensor, values

SIZES = {
    "2d": (3, 20),
    "2d, one row": (1, 33),
    "3d": (2, 5, 16),
    "3d, one": (1, 1, 64),
    "4d": (2, 3, 4, 17),
}


@pytest.mark.parametrize("bias", [False, True], ids=["no bias", "bias"])
@pytest.mark.parametrize("uint8", [False, True], ids=["int8", "uint8"])
@pytest.mark.parametrize("name", SIZES)
def test_shapes(name, uint8, bias):
    sizes = SIZES[name]
    torch.manual_seed(0)
    layer = nn.Linear(sizes[-1], 13, bias=bias)
    whole = uint8 == bias
    check(Program(lambda m, x: m.layer(x), layer=layer), values(*sizes, uint8=uint8), per_tensor if whole else None)


@pytest.mark.parametrize("sizes", [(1, 1), (1, 7), (7, 1), (16, 16), (100, 70)], ids=str)
def test_sizes_of_weights(sizes):
    torch.manual_seed(0)
    check(Program(lambda m, x: m.layer(x), layer=nn.Linear(*sizes)), values(3, sizes[0]))


def test_one_row_without_a_batch():
    torch.manual_seed(0)
    check(Program(lambda m, x: m.layer(x), layer=nn.Linear(12, 8)), values(12))


def test_transposed_input():
    torch.manual_seed(0)
    check(Program(lambda m, x: m.layer(x.transpose(1, 2)), layer=nn.Linear(6, 8)), values(2, 6, 5))


def test_transposed_weights():
    def body(m, x):
        return F.linear(x, m.layer.weight.t())

    torch.manual_seed(0)
    check(Program(body, layer=nn.Linear(6, 8)), values(3, 8))


@pytest.mark.parametrize("function", [F.relu, F.gelu, F.silu, torch.sigmoid, F.hardswish, torch.tanh])
def test_functions_behind(function):
    torch.manual_seed(0)
    layers = {"first": nn.Linear(20, 24), "last": nn.Linear(24, 5)}
    check(Program(lambda m, x: m.last(function(m.first(x))), **layers), values(2, 3, 20))


def test_residual_stream():
    def body(m, x):
        x = m.start(x)
        x = x + m.down(F.gelu(m.up(x)))
        return m.end(x + m.side(x))

    torch.manual_seed(0)
    sizes = {"start": (12, 16), "up": (16, 40), "down": (40, 16), "side": (16, 16), "end": (16, 4)}
    check(Program(body, **{name: nn.Linear(*pair) for name, pair in sizes.items()}), values(2, 3, 12))


def test_behind_a_convolution():
    def body(m, x):
        return m.layer(F.adaptive_avg_pool2d(F.relu(m.conv(x)), 1).flatten(1))

    torch.manual_seed(0)
    check(Program(body, conv=nn.Conv2d(3, 10, 3), layer=nn.Linear(10, 7)), values(2, 3, 8, 8))


def test_behind_channels_that_are_flattened_with_pixels():
    def body(m, x):
        return m.layer(F.max_pool2d(m.conv(x), 2).flatten(1))

    torch.manual_seed(0)
    check(Program(body, conv=nn.Conv2d(3, 6, 3), layer=nn.Linear(54, 7)), values(2, 3, 8, 8))


def test_batch_norm_of_rows():
    def body(m, x):
        return m.last(F.relu(m.norm(m.first(x))))

    torch.manual_seed(0)
    layers = {"first": nn.Linear(20, 24), "norm": nn.BatchNorm1d(24), "last": nn.Linear(24, 5)}
    layers["norm"].running_mean.normal_()
    layers["norm"].running_var.uniform_(0.5, 2)
    check(Program(body, **layers), values(5, 20))

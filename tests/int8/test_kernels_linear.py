"""Linear layers in int8 against the reference: shapes, types, and what follows them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from .comparing import assert_alike, needs_exact_sums, reference
from .running import (
    Program,
    batch_norm,
    calibrate,
    check,
    fusion,
    infer,
    infer_and_probe,
    on_device,
    per_tensor,
    threads,
    values,
)

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


# Rows, depth and columns around the edges of the tiles of our own loop, which takes 8 rows or more of whole fours.
EDGES = [
    (8, 4, 1),
    (8, 8, 15),
    (13, 60, 16),
    (14, 64, 17),
    (15, 68, 32),
    (16, 16, 33),
    (28, 12, 31),
    (29, 260, 48),
    (43, 20, 7),
    (9, 62, 20),
    (7, 64, 20),
    (141, 4, 9),
]


@pytest.mark.parametrize("uint8", [False, True], ids=["int8", "uint8"])
@pytest.mark.parametrize("sizes", EDGES, ids=str)
def test_tiles(sizes, uint8):
    rows, depth, columns = sizes
    torch.manual_seed(0)
    layer = nn.Linear(depth, columns, bias=columns % 2 == 0)
    check(Program(lambda m, x: m.layer(x), layer=layer), values(rows, depth, uint8=uint8))


def rows_of_a_block(m, x):
    x = F.relu(m.norm(m.first(x)))
    y = m.second(x) + x
    return m.last(F.gelu(y) * torch.sigmoid(m.gate(x)))


def test_block_of_many_rows():
    torch.manual_seed(0)
    layers = {"first": nn.Linear(12, 20), "norm": batch_norm(20, 1), "second": nn.Linear(20, 20)}
    more = {"gate": nn.Linear(20, 20), "last": nn.Linear(20, 3)}
    check(Program(rows_of_a_block, **layers, **more), values(17, 12))


@pytest.mark.parametrize("is_fused", [True, False], ids=["fused", "not fused"])
@pytest.mark.parametrize("uint8", [False, True], ids=["int8", "uint8"])
def test_threads_change_no_values(uint8, is_fused):
    torch.manual_seed(0)
    layers = {"first": nn.Linear(128, 200), "last": nn.Linear(200, 33)}
    model, inputs = on_device(Program(lambda m, x: m.last(F.gelu(m.first(x))), **layers)), values(300, 128, uint8=uint8)
    conf, x = calibrate(model, inputs(0).to("ipex")), inputs(1).to("ipex")
    results = []
    for count in (1, 2):
        with threads(count), fusion(is_fused):
            results += [tensor.cpu() for tensor in (infer(model, conf, x), *infer_and_probe(model, conf, x))]
    assert all(map(torch.equal, results[:3], results[3:]))


def test_signed_inputs_are_multiplied_well_enough():
    torch.manual_seed(0)
    model = Program(lambda m, x: m.layer(x), layer=nn.Linear(20, 13))
    there, x = on_device(model), values(3, 20)(0)
    conf = calibrate(there, x.to("ipex"))
    assert_alike(infer(there, conf, x.to("ipex")), reference(model, conf.calibration.entries(), x))


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


IN_PLACE = {
    "a difference": lambda y, x: torch.sub(y, x),
    "a copy": lambda y, x: y.clone(),
}


@needs_exact_sums
@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_on_values_that_were_not_made_in_int8(name):
    def body(m, x):
        y = IN_PLACE[name](m.first(x), x)
        y.relu_()
        return m.last(y) + torch.tanh(y)

    torch.manual_seed(0)
    check(Program(body, first=nn.Linear(12, 12), last=nn.Linear(12, 12)), values(5, 12))


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
    layers = {"first": nn.Linear(20, 24), "norm": batch_norm(24, 1), "last": nn.Linear(24, 5)}
    check(Program(body, **layers), values(5, 20))

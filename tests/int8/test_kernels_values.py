"""Odd values in int8: weights of zeros, NaN, infinities, huge and tiny numbers; weights that change; nothing is written."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from .comparing import exact, needs_exact_sums
from .running import Program, batch_norm, calibrate, check, infer, on_device, per_tensor, threads, values

IMAGE = values(2, 5, 6, 7)
ROWS = values(4, 12)
GRANULARITY = pytest.mark.parametrize("edit", [None, per_tensor], ids=["per channel", "per tensor"])


@pytest.fixture(autouse=True)
def one_thread():
    with threads(1):
        yield


def convolution(**more):
    torch.manual_seed(0)
    return nn.Conv2d(5, 7, 3, **more)


def only(layer):
    return Program(lambda m, x: m.layer(x), layer=layer)


LAYERS = {"convolution": (convolution, IMAGE), "linear": (lambda: nn.Linear(12, 7), ROWS)}


@GRANULARITY
@pytest.mark.parametrize("name", LAYERS)
def test_channels_of_zeros(name, edit):
    make, inputs = LAYERS[name]
    layer = make()
    layer.weight.data[2:4] = 0
    check(only(layer), inputs, edit)


@GRANULARITY
@pytest.mark.parametrize("name", LAYERS)
def test_weights_of_zeros(name, edit):
    make, inputs = LAYERS[name]
    layer = make()
    layer.weight.data.zero_()
    check(only(layer), inputs, edit)


@GRANULARITY
@pytest.mark.parametrize("name", LAYERS)
def test_one_channel_much_larger_than_others(name, edit):
    make, inputs = LAYERS[name]
    layer = make()
    layer.weight.data[1] *= 1000
    check(only(layer), inputs, edit)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", LAYERS)
def test_weights_that_are_not_finite_compute_in_float32(name, value):
    make, inputs = LAYERS[name]
    model, x = on_device(only(make())), inputs(1)
    conf = calibrate(model, inputs(0).to("ipex"))
    with torch.no_grad():
        model.layer.weight.view(-1)[5] = value
    result = infer(model, conf, x.to("ipex"))
    with torch.no_grad():
        expected = exact(model)(exact(x))
    assert not expected.isfinite().all()
    torch.testing.assert_close(result.cpu().double(), expected, rtol=1e-5, atol=1e-5, equal_nan=True)


def test_a_bias_that_is_not_finite():
    layer = convolution()
    model = on_device(only(layer))
    conf = calibrate(model, IMAGE(0).to("ipex"))
    x = IMAGE(1).to("ipex")
    before = infer(model, conf, x).cpu()
    with torch.no_grad():
        model.layer.bias[1], model.layer.bias[2] = math.nan, math.inf
    result = infer(model, conf, x).cpu()
    assert result[:, 1].isnan().all() and (result[:, 2] == math.inf).all()
    assert torch.equal(result[:, 3:], before[:, 3:])


@pytest.mark.parametrize("name", LAYERS)
def test_inputs_of_zeros(name):
    make, inputs = LAYERS[name]
    layer = make()
    check(only(layer), lambda number: inputs(0) * (number == 0))
    check(only(layer), lambda number: inputs(0) * 0)


@pytest.mark.parametrize("name", LAYERS)
def test_inputs_that_are_not_finite(name):
    make, inputs = LAYERS[name]

    def odd(number):
        x = inputs(number)
        if number:
            x.view(-1)[3:6] = torch.tensor([math.nan, math.inf, -math.inf])
        return x

    check(only(make()), odd)


@pytest.mark.filterwarnings("ignore:calibration saw")
def test_values_that_become_nan_inside():
    def body(m, x):
        y = m.first(x)
        return m.last(y / (y > 0))  # by zero

    torch.manual_seed(0)
    check(Program(body, first=convolution(), last=nn.Conv2d(7, 3, 1)), IMAGE, falls_back=True)


@pytest.mark.filterwarnings("ignore:calibration saw")
@needs_exact_sums
def test_a_batch_norm_that_makes_nan_and_infinities():
    def body(m, x):
        return m.last(F.relu(m.norm(m.first(x))))

    torch.manual_seed(0)
    norm = batch_norm(7)
    norm.running_var[2], norm.weight.data[3] = -1.0, math.inf
    check(Program(body, first=convolution(), norm=norm, last=nn.Conv2d(7, 3, 1)), IMAGE)


@pytest.mark.parametrize("size", [1e-20, 1e-10, 1e10, 1e20])
@pytest.mark.parametrize("of", ["inputs", "weights", "both inversely"])
@pytest.mark.parametrize("name", LAYERS)
def test_huge_and_tiny_values(name, of, size):
    make, inputs = LAYERS[name]
    layer = make()
    if of != "inputs":
        layer.weight.data *= size
        layer.bias.data *= size if of == "weights" else 1
    else:
        layer.bias.data *= size
    factor = {"inputs": size, "weights": 1, "both inversely": 1 / size}[of]
    check(only(layer), lambda number: inputs(number) * factor)


@pytest.mark.parametrize("name", LAYERS)
def test_values_near_the_smallest(name):
    make, inputs = LAYERS[name]
    layer = make()
    layer.bias.data.zero_()
    model, x = on_device(only(layer)), inputs(1) * 3e-35
    conf = calibrate(model, inputs(0).to("ipex") * 3e-35)
    result = infer(model, conf, x.to("ipex"))
    with torch.no_grad():
        expected = exact(model)(exact(x))
    assert (result.cpu().double() - expected).abs().max() < 0.1 * expected.abs().max()


@needs_exact_sums
@pytest.mark.parametrize("uint8", [False, True], ids=["int8", "uint8"])
@pytest.mark.parametrize("sign", [1, -1])
def test_largest_products(sign, uint8):
    layers = {"first": nn.Conv2d(48, 16, 3), "last": nn.Linear(16 * 4, 8)}
    for layer in layers.values():
        layer.weight.data.fill_(sign)
    inputs = values(1, 48, 4, 4)
    extreme = {0: 1.0 if uint8 else -1.0}
    check(
        Program(lambda m, x: m.last(m.first(x).flatten(1)), **layers),
        lambda number: inputs(number).sign().abs() * extreme.get(number, 2.0 if uint8 else -2.0),
    )


@needs_exact_sums
def test_results_that_saturate():
    def edit(entries):
        for entry in entries[:-1]:
            entry.outputs_scale[0] *= 4

    def body(m, x):
        return m.last(F.relu(m.norm(m.first(x))))

    torch.manual_seed(0)
    check(Program(body, first=convolution(), norm=batch_norm(7), last=nn.Conv2d(7, 3, 1)), IMAGE, edit)

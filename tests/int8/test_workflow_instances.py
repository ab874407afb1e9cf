"""One recipe, several instances of a model: copies, other weights, modules that are called twice."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

import torch_ipex_device as ipex

from .models import (
    MODELS,
    Plain,
    Residual,
    Shared,
    Twice,
    assert_near,
    calibrate,
    calibrated,
    float32,
    image,
    infer,
    made,
    names,
    same_bits,
    sqnr,
)

BATCHES = [image(seed) for seed in range(3)]

AGAIN = ("Residual", "Twice", "Shared")
"""Models that call a layer twice in a forward."""

INSTANCES = ("Plain", "InPlace", *AGAIN)


@pytest.mark.parametrize("name", INSTANCES)
@pytest.mark.parametrize("block", ["one block", "blocks"])
def test_a_copy_and_its_origin_take_turns(name: str, block: str) -> None:
    model = made(MODELS[name])
    conf, other = calibrated(model, BATCHES), copy.deepcopy(model)
    low = [infer(conf, model, x) for x in BATCHES]
    if block == "blocks":
        for each in (other, model, other):
            assert same_bits([infer(conf, each, x) for x in BATCHES], low)
    else:
        with torch.no_grad(), ipex.AutoMixPrecision(conf):
            for each in (model, other, model, other):
                assert same_bits([each(x) for x in BATCHES], low)


@pytest.mark.parametrize("name", INSTANCES)
def test_another_instance_with_other_weights(name: str) -> None:
    model, other = made(MODELS[name]), made(MODELS[name], 7)
    conf = calibrated(model, BATCHES)
    infer(conf, model, BATCHES[0])
    assert_near(infer(conf, other, BATCHES[0]), float32(other, BATCHES[0]))


@pytest.mark.parametrize("name", MODELS)
def test_a_recipe_from_a_file_serves_a_fresh_instance(name: str, tmp_path: Path) -> None:
    model = made(MODELS[name])
    conf = calibrated(model, BATCHES)
    conf.save(tmp_path / "recipe.json")
    loaded, other = ipex.AmpConf(torch.int8, tmp_path / "recipe.json"), copy.deepcopy(model)
    assert same_bits([infer(loaded, other, x) for x in BATCHES], [infer(conf, model, x) for x in BATCHES])


@pytest.mark.parametrize("factory", [Plain, Residual, Twice])
def test_weights_may_change_between_forwards(factory: type[nn.Module]) -> None:
    model, other, x = made(factory), made(factory, 7), BATCHES[0]
    conf = calibrated(model, BATCHES)
    low = infer(conf, model, x)
    before = copy.deepcopy(model.state_dict())
    expected = float32(other, x)
    with torch.no_grad(), ipex.AutoMixPrecision(conf):
        assert same_bits(model(x), low)
        model.load_state_dict(other.state_dict())
        assert_near(model(x), expected)
        assert sqnr(model(x), low) < 10
        model.load_state_dict(before)
        assert same_bits(model(x), low)
    for parameter in model.parameters():
        parameter.mul_(0.5)
    assert_near(infer(conf, model, x), float32(model, x))


@pytest.mark.parametrize("factory", [Plain, Residual, Twice])
def test_a_model_may_be_moved_again(factory: type[nn.Module]) -> None:
    model, x = made(factory), BATCHES[0]
    conf = calibrated(model, BATCHES)
    low = infer(conf, model, x)
    with torch.no_grad(), ipex.AutoMixPrecision(conf):
        for move in (lambda: model.to("ipex"), lambda: model.cpu().to("ipex"), lambda: model.double().float()):
            move()
            assert same_bits(model(x), low)
    assert same_bits(infer(conf, model, x), low)


def test_weights_may_be_new_tensors_in_each_forward() -> None:
    model = made(lambda: nn.Sequential(weight_norm(nn.Conv2d(3, 8, 3)), nn.ReLU(), weight_norm(nn.Conv2d(8, 8, 3))))
    conf = ipex.AmpConf(torch.int8)
    results = calibrate(conf, model, BATCHES)
    assert same_bits(results, [float32(model, x) for x in BATCHES])
    assert names(conf) == ["Convolution", "Relu", "Convolution"]
    with torch.no_grad(), ipex.AutoMixPrecision(conf):
        for x in BATCHES:
            y = model(x)
            with ipex.AutoMixPrecision(ipex.AmpConf(None)):
                assert_near(y, model(x))


# Layers that are called again.


@pytest.mark.parametrize("factory", [Twice, Shared, Residual])
def test_a_layer_that_is_called_twice_has_two_entries(factory: type[nn.Module]) -> None:
    model = made(factory)
    conf = calibrated(model, BATCHES)
    entries = [entry for entry in conf.calibration.entries() if entry.name == "Convolution"]
    paths = [entry.module for entry in entries]
    assert len(set(paths)) < len(paths)
    again = [entry for entry in entries if paths.count(entry.module) > 1]
    assert again[0].outputs_scale != again[1].outputs_scale
    for x in BATCHES:
        assert_near(infer(conf, model, x), float32(model, x))


class Recurrent(nn.Module):
    """The first layer is called again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(3):
            x = F.relu(self.cell(x)) * 5.0
        return self.cell(x)


def test_the_first_layer_may_be_called_again() -> None:
    model, conf = made(Recurrent), ipex.AmpConf(torch.int8)
    results = calibrate(conf, model, BATCHES)
    assert same_bits(results, [float32(model, x) for x in BATCHES])
    assert names(conf) == ["Convolution", "Relu"] * 3 + ["Convolution"]
    for x in BATCHES:
        assert_near(infer(conf, model, x), float32(model, x))


def test_calls_of_an_outermost_module_share_its_entries() -> None:
    """Nobody can tell them from the same program that runs again."""
    model, conf = made(Recurrent), ipex.AmpConf(torch.int8)
    results = calibrate(conf, model.forward, BATCHES)
    assert same_bits(results, [float32(model, x) for x in BATCHES])
    assert names(conf) == ["Convolution", "Relu"]
    for x in BATCHES:
        assert_near(infer(conf, model.forward, x), float32(model, x))


def test_the_first_weight_of_a_function_may_be_used_again() -> None:
    torch.manual_seed(0)
    one, two = torch.randn(3, 3, 3, 3).to("ipex"), torch.randn(3, 3, 3, 3).to("ipex")

    def program(x: Tensor) -> Tensor:
        return F.conv2d(F.conv2d(F.relu(F.conv2d(x, one)) * 4.0, one), two)

    conf = calibrated(program, BATCHES)
    assert names(conf) == ["Convolution", "Relu", "Convolution", "Convolution"]
    with torch.no_grad(), ipex.AutoMixPrecision(conf):
        low = [program(x) for x in BATCHES]
    for x, y in zip(BATCHES, low, strict=True):
        assert_near(y, float32(program, x))

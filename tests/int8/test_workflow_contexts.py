"""Blocks of int8: nested, decorating, used again, left by exceptions, shared by threads; what holds values between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules import module as module_hooks

import torch_ipex_device as ipex
from .models import (
    Gated,
    Plain,
    Residual,
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
    scales,
)

BF16, NONE = ipex.AmpConf(torch.bfloat16), ipex.AmpConf(None)
BATCHES = [image(seed) for seed in range(3)]


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """After every test no mode and no hook is left."""
    yield
    assert ipex.get_auto_mix_precision() is None
    assert not module_hooks._global_forward_hooks and not module_hooks._global_forward_pre_hooks


# Nesting.


def test_the_innermost_context_counts_and_int8_resumes() -> None:
    model = made(Plain)
    conf = calibrated(model, BATCHES)
    low, full = [infer(conf, model, x) for x in BATCHES], [float32(model, x) for x in BATCHES]
    with ipex.AutoMixPrecision(BF16):
        narrow = [float32(model, x) for x in BATCHES]
    with torch.no_grad(), ipex.AutoMixPrecision(conf):
        assert same_bits(model(BATCHES[0]), low[0])
        with ipex.AutoMixPrecision(BF16):
            assert ipex.get_auto_mix_precision() == torch.bfloat16
            assert same_bits(model(BATCHES[1]), narrow[1])
            with ipex.AutoMixPrecision(conf):
                assert same_bits(model(BATCHES[2]), low[2])
            assert same_bits(model(BATCHES[2]), narrow[2])
        assert ipex.get_auto_mix_precision() == torch.int8
        with ipex.AutoMixPrecision(NONE):
            assert ipex.get_auto_mix_precision() is None
            assert same_bits(model(BATCHES[1]), full[1])
        assert same_bits(model(BATCHES[1]), low[1])


class Mixed(nn.Module):
    """Computes its middle in a context of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.middle, self.last = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 4, 3)
        self.inner: ipex.AmpConf | None = None
        self.mode = "inference"

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x))
        if self.inner is None:
            x = self.middle(x)
        else:
            with ipex.AutoMixPrecision(self.inner, self.mode):
                x = self.middle(x)
        return self.last(F.relu(x))


@pytest.mark.parametrize("inner", [BF16, NONE], ids=["bfloat16", "none"])
def test_a_part_of_a_model_may_compute_otherwise(inner: ipex.AmpConf, tmp_path: Path) -> None:
    model = made(Mixed)
    model.inner = inner
    expected = [float32(model, x) for x in BATCHES]
    conf = ipex.AmpConf(torch.int8)
    results = calibrate(conf, model, BATCHES)
    assert same_bits(results, expected)
    assert names(conf) == ["Convolution", "Relu", "Relu", "Convolution"]
    conf.save(tmp_path / "recipe.json")
    for each in (conf, ipex.AmpConf(torch.int8, tmp_path / "recipe.json")):
        for x, y in zip(BATCHES, expected, strict=True):
            assert_near(infer(each, model, x), y)


def test_two_recipes_nest_in_one_forward() -> None:
    model, x = made(Mixed), BATCHES[0]
    expected = float32(model, x)
    outer, model.inner, model.mode = ipex.AmpConf(torch.int8), ipex.AmpConf(torch.int8), "calibration"
    results = calibrate(outer, model, BATCHES)
    assert same_bits(results[0], expected)
    assert names(outer) == ["Convolution", "Relu", "Relu", "Convolution"]
    assert names(model.inner) == ["Convolution"]
    assert [entry.module for entry in outer.calibration.entries()] == ["first", "", "", "last"]
    assert_near(infer(outer, model, x), expected)  # the middle still calibrates
    model.mode = "inference"
    assert_near(infer(outer, model, x), expected)
    assert_near(infer(ipex.AmpConf(None), model, x), expected)


def test_calibration_inside_of_inference() -> None:
    model, x = made(Plain), BATCHES[0]
    conf, other = calibrated(model, BATCHES), ipex.AmpConf(torch.int8)
    low, full = infer(conf, model, x), float32(model, x)
    with torch.no_grad(), ipex.AutoMixPrecision(conf):
        first = model(x)
        with ipex.AutoMixPrecision(other, running_mode="calibration"):
            second = model(x)
        third = model(x)
    assert same_bits([first, second, third], [low, full, low])
    assert names(other) == names(conf)


def test_values_go_from_one_context_to_another() -> None:
    first, second = made(lambda: nn.Conv2d(3, 8, 3)), made(lambda: nn.Conv2d(8, 8, 3), 1)
    confs = [calibrated(lambda x: F.relu(first(x)), BATCHES), calibrated(second, [F.relu(first(x)) for x in BATCHES])]
    expected = float32(lambda x: second(F.relu(first(x))), BATCHES[0])
    with torch.no_grad():
        for outer in (confs[0], BF16, NONE):
            for inner in (confs[1], BF16, NONE):
                with ipex.AutoMixPrecision(outer):
                    x = F.relu(first(BATCHES[0]))
                with ipex.AutoMixPrecision(inner):
                    y = second(x)
                assert_near(y, expected)
                assert outer.dtype is inner.dtype is None or not torch.equal(y.cpu(), expected)


def test_the_process_mode_counts_outside_only() -> None:
    model = made(Plain)
    conf = calibrated(model, BATCHES)
    low = infer(conf, model, BATCHES[0])
    ipex.enable_auto_mixed_precision(torch.bfloat16)
    try:
        assert same_bits(infer(conf, model, BATCHES[0]), low)
        assert ipex.get_auto_mix_precision() == torch.bfloat16
    finally:
        ipex.enable_auto_mixed_precision(None)


# Several forwards.


def test_several_forwards_in_one_block() -> None:
    model, conf = made(Residual), ipex.AmpConf(torch.int8)
    expected = [float32(model, x) for x in BATCHES]
    with torch.no_grad(), ipex.AutoMixPrecision(conf, running_mode="calibration"):
        results = [model(x) for x in BATCHES]
    assert same_bits(results, expected)
    assert scales(conf) == scales(calibrated(model, BATCHES))
    low = [infer(conf, model, x) for x in BATCHES]
    with torch.no_grad(), ipex.AutoMixPrecision(conf):
        assert same_bits([model(x) for x in BATCHES], low)


def test_two_models_in_one_block(tmp_path: Path) -> None:
    one, two = made(Plain), made(Gated, 1)

    def both(x: Tensor) -> Tensor:
        return torch.cat([one(x), two(x)], 1)

    expected, conf = [float32(both, x) for x in BATCHES], ipex.AmpConf(torch.int8)
    assert same_bits(calibrate(conf, both, BATCHES), expected)
    conf.save(tmp_path / "recipe.json")
    for each in (conf, ipex.AmpConf(torch.int8, tmp_path / "recipe.json")):
        for x, y in zip(BATCHES, expected, strict=True):
            assert_near(infer(each, both, x), y)
        for model in (two, one):  # their places are known by now
            assert_near(infer(each, model, BATCHES[0]), float32(model, BATCHES[0]))


def test_programs_without_modules(tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = [torch.randn(8, 3, 3, 3).to("ipex"), torch.randn(8, 8, 3, 3).to("ipex"), torch.randn(10, 8).to("ipex")]

    def program(x: Tensor) -> Tensor:
        x = F.relu(F.conv2d(x, weights[0]))
        return F.linear(F.relu(F.conv2d(x, weights[1])).mean((2, 3)), weights[2])

    conf = calibrated(program, BATCHES)
    conf.save(tmp_path / "recipe.json")
    assert {entry.module for entry in conf.calibration.entries()} == {None}
    for each in (conf, ipex.AmpConf(torch.int8, tmp_path / "recipe.json")):
        for x in BATCHES:
            assert_near(infer(each, program, x), float32(program, x))


# Other ways in and out.


def test_decorated_functions_and_generators() -> None:
    model, conf = made(Plain), ipex.AmpConf(torch.int8)
    expected = [float32(model, x) for x in BATCHES]

    def run(x: Tensor, depth: int) -> Tensor:
        return model(x) if depth == 0 else decorated(x, depth - 1)

    def each() -> Iterator[Tensor]:
        for x in BATCHES:
            assert ipex.get_auto_mix_precision() == torch.int8
            yield model(x)

    with torch.no_grad():
        decorated = ipex.AutoMixPrecision(conf, running_mode="calibration")(run)
        results = [decorated(x, 2) for x in BATCHES]
        for y in ipex.AutoMixPrecision(conf, running_mode="calibration")(each)():
            assert ipex.get_auto_mix_precision() is None
            results.append(y)
        assert same_bits(results, expected * 2)
        assert scales(conf) == scales(calibrated(model, BATCHES))
        low = [infer(conf, model, x) for x in BATCHES]
        decorated = ipex.AutoMixPrecision(conf)(run)
        assert same_bits([decorated(x, 2) for x in BATCHES], low)
        assert same_bits(list(ipex.AutoMixPrecision(conf)(each)()), low)


def test_one_object_may_be_used_again_and_inside_itself() -> None:
    model, conf = made(Plain), ipex.AmpConf(torch.int8)
    calibration, inference = ipex.AutoMixPrecision(conf, "calibration"), ipex.AutoMixPrecision(conf)
    results = []
    with torch.no_grad():
        for x in BATCHES:
            with calibration:
                results.append(model(x))
        low = [infer(conf, model, x) for x in BATCHES]
        for x, expected in zip(BATCHES, low, strict=True):
            with inference, inference:
                assert same_bits(model(x), expected)
        with inference:
            with inference:
                model(BATCHES[0])
            assert same_bits(model(BATCHES[1]), low[1])
    assert same_bits(results, [float32(model, x) for x in BATCHES])


class Failing(nn.Module):
    """Raises after a part of its operators, if it is to."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.out = Twice(), nn.Conv2d(8, 4, 1)
        self.fails = False

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(x)
        if self.fails:
            raise KeyError
        return self.out(x)


def fail(model: Failing, call: Callable[[Tensor], Tensor]) -> None:
    """Runs half of the model."""
    model.fails = True
    with pytest.raises(KeyError):
        call(BATCHES[0])
    model.fails = False


@pytest.mark.parametrize("way", ["module", "forward"])
def test_a_failed_forward_leaves_the_next_one_right(way: str) -> None:
    model, conf = made(Failing), ipex.AmpConf(torch.int8)
    call = model if way == "module" else model.forward
    results = []
    with torch.no_grad(), ipex.AutoMixPrecision(conf, running_mode="calibration"):
        for x in BATCHES:
            fail(model, call)
            results.append(call(x))
    assert same_bits(results, [float32(model, x) for x in BATCHES])
    assert scales(conf) == scales(calibrated(call, BATCHES))
    low = [infer(conf, call, x) for x in BATCHES]
    assert_near(low[0], float32(model, BATCHES[0]))
    with torch.no_grad(), ipex.AutoMixPrecision(conf):
        for x, expected in zip(BATCHES, low, strict=True):
            fail(model, call)
            fail(model, call)
            assert same_bits(call(x), expected)
    with pytest.raises(KeyError), torch.no_grad(), ipex.AutoMixPrecision(conf):
        model.fails = True
        call(BATCHES[0])

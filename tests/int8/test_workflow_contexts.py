"""Blocks of int8 inside of others, others inside of them, and values that go from one to the other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torch_ipex_device as ipex

from .models import (
    Plain,
    assert_near,
    calibrate,
    calibrated,
    float32,
    image,
    infer,
    made,
    names,
    same_bits,
)

BF16, NONE = ipex.AmpConf(torch.bfloat16), ipex.AmpConf(None)
BATCHES = [image(seed) for seed in range(3)]


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

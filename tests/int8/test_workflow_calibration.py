"""Calibration: it changes no result, sees what it should, and survives odd values."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torch_ipex_device as ipex
from torch_ipex_device import _C

from .models import (
    MODELS,
    Alive,
    Plain,
    Readme,
    Residual,
    assert_near,
    calibrate,
    calibrated,
    edit,
    float32,
    image,
    infer,
    made,
    same_bits,
    scales,
    sqnr,
)

# It changes nothing.


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("fused", [True, False])
def test_results_inputs_and_weights_stay_bit_for_bit(name: str, fused: bool) -> None:
    model, batches = made(MODELS[name]), [image(seed) for seed in range(3)]
    kept = [[value.cpu().clone() for value in model.state_dict().values()], [x.cpu().clone() for x in batches]]
    _C.set_eager_fusion(fused)
    try:
        expected = [float32(model, x) for x in batches]
        results = calibrate(ipex.AmpConf(torch.int8), model, batches)
        assert same_bits(results, expected)
        assert same_bits(float32(model, batches[0]), expected[0])
    finally:
        _C.set_eager_fusion(True)
    assert same_bits([[*model.state_dict().values()], batches], kept)


def test_intermediates_that_stay_alive_are_those_of_float32() -> None:
    """Whoever reads an intermediate, and whenever, gets what a program without a context gives."""
    model, x = made(Alive), image()
    with torch.no_grad():
        for order in itertools.islice(itertools.permutations(range(9)), 0, None, 40000):
            expected = model(x)
            expected = {i: expected[i].cpu() for i in order}
            (results,) = calibrate(ipex.AmpConf(torch.int8), model, [x])
            assert all(same_bits(results[i], expected[i]) for i in order)


def test_open_values_are_fused_as_without_calibration() -> None:
    model, x, conf = made(Residual), image(), ipex.AmpConf(torch.int8)
    fused = []
    for context in (ipex.AutoMixPrecision(ipex.AmpConf(None)), ipex.AutoMixPrecision(conf, "calibration")):
        with torch.no_grad(), context, ipex.explain() as explanation:
            model(x).cpu()
        fused.append(sorted((row.operator, row.fused) for row in explanation.rows if row.fused))
    assert fused[0] == fused[1] and fused[0]


# What nobody reads.


def test_calibration_observes_what_the_program_drops() -> None:
    """The loop of the README: every result but the last is dropped unread."""
    model, batches = made(Readme), [image(0, size=24) * 9, image(1, size=24)]
    conf = ipex.AmpConf(torch.int8)
    with torch.no_grad():
        for x in batches:
            with ipex.AutoMixPrecision(conf, running_mode="calibration"):
                y = model(x)
    found = scales(conf)
    del y
    assert found == scales(calibrated(model, batches))


def test_calibration_needs_no_use_of_results() -> None:
    model, conf = made(Readme), ipex.AmpConf(torch.int8)
    calibrate(conf, lambda x: model(x) is None, [image(0, size=24)])
    assert [entry.quantized for entry in conf.calibration.entries()] == [True, True]


# Odd values.


def test_nan_in_calibration_warns_and_gives_what_float32_gives() -> None:
    model, good = made(Plain), image(1)
    bad = image()
    bad[0, 0, 0, 0], bad[1, 1, 1, 1] = float("nan"), float("inf")
    conf = ipex.AmpConf(torch.int8)
    results = calibrate(conf, model, [bad, good])
    with pytest.warns(UserWarning, match="calibration saw") as caught:
        conf.calibration.entries()
    texts = [str(each.message) for each in caught]
    assert len(texts) == 6  # each operator once
    assert re.match(r"calibration saw \d+ NaN and \d+ infinities at entry 0 \(Convolution\)", texts[0])
    assert same_bits(results, [float32(model, bad), float32(model, good)])
    assert results[0].isnan().any()
    assert_near(infer(conf, model, good), float32(model, good))
    assert not infer(conf, model, bad).isnan().any()  # as the warning says


def test_nothing_finite_in_calibration_gives_scales_of_one() -> None:
    model = made(Plain)
    conf = ipex.AmpConf(torch.int8)
    results = calibrate(conf, model, [torch.full((2, 3, 12, 12), float("nan"), device="ipex")])
    with pytest.warns(UserWarning, match="NaN"):
        entries = conf.calibration.entries()
    assert results[0].isnan().all()
    assert all(entry.inputs_scale == entry.outputs_scale == [1.0] for entry in entries)


def test_negative_data_with_uint8_in_the_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layer, x = made(lambda: nn.Linear(8, 4)), torch.randn(3, 8).to("ipex")
    calibrated(layer, [x.abs()]).save(tmp_path / "recipe.json")
    edit(tmp_path / "recipe.json", inputs_uint8_used=[True])
    conf = ipex.AmpConf(torch.int8, tmp_path / "recipe.json")
    expected = float32(layer, x.clamp(min=0))
    assert sqnr(infer(conf, layer, x), expected) > 35
    results = calibrate(conf, layer, [x])
    with pytest.warns(UserWarning, match=r"entry 0 \(Linear\) asks for uint8, and calibration saw -1.*become 0"):
        entries = conf.calibration.entries()
    assert same_bits(results[0], float32(layer, x))
    assert entries[0].inputs_uint8_used == [True]
    assert sqnr(infer(conf, layer, x), expected) > 35


def test_zeros_in_calibration_and_dead_channels() -> None:
    zeros = torch.zeros(2, 3, 12, 12, device="ipex")
    model = made(Plain)
    conf = calibrated(model, [zeros])
    assert (conf.calibration.entries()[0].inputs_scale, conf.calibration.entries()[0].inputs_uint8_used) == (
        [1.0],
        [True],
    )
    assert_near(infer(conf, model, zeros), float32(model, zeros))
    assert infer(conf, model, image()).isfinite().all()
    for values in (model.conv.weight, model.conv.bias, model.norm.running_var, model.out.weight):
        assert values is not None
        values[2:4] = 0
    assert_near(infer(calibrated(model, [image()]), model, image()), float32(model, image()))


def test_huge_and_tiny_values_have_scales_that_work() -> None:
    model = made(lambda: nn.Sequential(nn.Conv2d(3, 16, 3, bias=False), nn.ReLU()))
    for size in (1e30, 1e-30, 1e-34):
        x = image() * size
        assert_near(infer(calibrated(model, [x]), model, x), float32(model, x))


# Views.


def test_a_part_of_a_storage_may_be_written_in_int8() -> None:
    """What an operator in place makes of a view says nothing of the rest."""

    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 16, 3, padding=1)
            self.second = nn.Conv2d(16, 8, 3)

        def forward(self, x: Tensor) -> Tensor:
            y = self.first(x)
            F.relu_(y[:, :4])
            return self.second(y)

    model, x = made(Half), image()
    assert_near(infer(calibrated(model, [x]), model, x), float32(model, x))

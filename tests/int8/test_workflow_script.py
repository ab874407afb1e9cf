"""Modules of TorchScript: calls inside of them are no calls of modules, so entries know no paths."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import torch_ipex_device as ipex

from .models import (
    MODELS,
    Plain,
    Residual,
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

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.*is deprecated:DeprecationWarning")

BATCHES = [image(seed) for seed in range(2)]


def saved_and_loaded(module: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    """Returns the module as a file brings it back."""
    buffer = io.BytesIO()
    torch.jit.save(module, buffer)
    buffer.seek(0)
    return torch.jit.load(buffer, map_location="ipex")


WAYS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "scripted": torch.jit.script,
    "frozen": lambda model: torch.jit.freeze(torch.jit.script(model)),
    "loaded": lambda model: saved_and_loaded(torch.jit.script(model)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["Plain", "Residual", "Cat", "Twice"])
def test_script_calibrates_and_infers(way: str, name: str, tmp_path: Path) -> None:
    script = WAYS[way](made(MODELS[name]))
    expected = [float32(script, x) for x in BATCHES for _ in range(2)][::2]
    conf = ipex.AmpConf(torch.int8)
    assert same_bits(calibrate(conf, script, BATCHES), expected)
    assert {entry.module for entry in conf.calibration.entries()} == {None}
    conf.save(tmp_path / "recipe.json")
    for each in (conf, ipex.AmpConf(torch.int8, tmp_path / "recipe.json")):
        for x, y in zip(BATCHES, expected, strict=True):
            assert_near(infer(each, script, x), y)
            assert not torch.equal(infer(each, script, x), y)


@pytest.mark.parametrize("way", ["scripted", "loaded"])
@pytest.mark.parametrize("name", ["Plain", "Residual", "Cat", "Twice"])
def test_recipe_of_the_eager_module_serves_script(way: str, name: str, tmp_path: Path) -> None:
    model = made(MODELS[name])
    conf = calibrated(model, BATCHES)
    conf.save(tmp_path / "recipe.json")
    loaded, script = ipex.AmpConf(torch.int8, tmp_path / "recipe.json"), WAYS[way](model)
    for x in BATCHES:
        assert same_bits(infer(loaded, script, x), infer(conf, model, x))


def test_recipe_of_script_serves_the_eager_module(tmp_path: Path) -> None:
    model = made(Residual)
    conf = calibrated(torch.jit.script(model), BATCHES)
    assert_near(infer(conf, model, BATCHES[0]), float32(model, BATCHES[0]))


def test_frozen_script_has_no_batch_norm_so_that_the_eager_recipe_is_refused() -> None:
    model = made(Plain)
    conf = calibrated(model, BATCHES)
    with pytest.raises(RuntimeError, match=r"E402 entry 1 of the recipe is BatchNorm .*the program runs Relu"):
        infer(conf, WAYS["frozen"](model), BATCHES[0])
    assert "BatchNorm" not in names(calibrated(WAYS["frozen"](model), BATCHES))
    assert_near(infer(conf, model, BATCHES[0]), float32(model, BATCHES[0]))


def test_script_inside_of_an_eager_module(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 1).to("ipex"), torch.jit.script(made(Plain)), nn.Linear(10, 4).to("ipex"))
    conf = calibrated(model, BATCHES)
    paths = [entry.module for entry in conf.calibration.entries()]
    assert (paths[0], set(paths[1:-1]), paths[-1]) == ("0", {None}, "2")
    conf.save(tmp_path / "recipe.json")
    for each in (conf, ipex.AmpConf(torch.int8, tmp_path / "recipe.json")):
        assert_near(infer(each, model, BATCHES[1]), float32(model, BATCHES[1]))


# Traces.


class Layers(nn.Module):
    """A model without convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(12, 16), nn.Linear(16, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(nn.functional.relu(self.first(x)))


@pytest.mark.parametrize("way", ["traced", "frozen", "loaded"])
@pytest.mark.parametrize("factory", [Layers, Plain])
def test_traces_calibrate_and_infer(way: str, factory: Callable[[], nn.Module], tmp_path: Path) -> None:
    model = made(factory)
    trace = torch.jit.trace(model, BATCHES[0], check_trace=False)
    if way == "frozen":
        trace = torch.jit.freeze(trace)
    elif way == "loaded":
        trace = saved_and_loaded(trace)
    expected = [float32(model, x) for x in BATCHES]
    conf = ipex.AmpConf(torch.int8)
    results = calibrate(conf, trace, BATCHES)
    for got, y in zip(results, expected, strict=True):
        torch.testing.assert_close(got.cpu(), y)
    conf.save(tmp_path / "trace.json")
    calibrated(model, BATCHES).save(tmp_path / "eager.json")
    for name in ("trace", "eager") if way != "frozen" or factory is Layers else ("trace",):
        loaded = ipex.AmpConf(torch.int8, tmp_path / f"{name}.json")
        for x, y in zip(BATCHES, expected, strict=True):
            assert_near(infer(loaded, trace, x), y)


def test_a_trace_from_the_cpu_runs() -> None:
    model = made(Plain)
    expected = float32(model, BATCHES[1])
    trace = torch.jit.trace(model.cpu(), BATCHES[0].cpu(), check_trace=False).to("ipex")
    assert_near(infer(calibrated(trace, BATCHES), trace, BATCHES[1]), expected)

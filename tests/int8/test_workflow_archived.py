"""Programs of the archived extension: the one of its README, its tests of int8, and the recipes that it wrote."""

from __future__ import annotations

import itertools
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torch_ipex_device as ipex

from .models import (
    Residual,
    assert_near,
    calibrate,
    calibrated,
    edit,
    float32,
    image,
    infer,
    made,
    names,
    same_bits,
    sqnr,
)

FIELDS = {
    "id",
    "name",
    "algorithm",
    "weight_granularity",
    "inputs_scale",
    "outputs_scale",
    "inputs_uint8_used",
    "outputs_uint8_used",
    "quantized",
}
"""Those that the README of the archived extension documents."""

README = """
import torch
import torch.nn as nn
import intel_pytorch_extension as ipex

class Model(nn.Module):
    def __init__(self):
        super(Model, self).__init__()
        self.conv = nn.Conv2d(3, 64, 7, stride=2)

    def forward(self, input):
        return self.conv(input).relu()

# Convert the model to the Extension device
model = Model().to(ipex.DEVICE)

# Create a configuration file to save quantization parameters.
conf = ipex.AmpConf(torch.int8)
with torch.no_grad():
    for x in cali_dataset:
        # Run the model under calibration mode to collect quantization parameters
        with ipex.AutoMixPrecision(conf, running_mode='calibration'):
            y = model(x.to(ipex.DEVICE))
# Save the configuration file
conf.save('configure.json')
"""
INFERENCE = """
conf = ipex.AmpConf(torch.int8, 'configure.json')
with torch.no_grad():
    for x in cali_dataset:
        with ipex.AutoMixPrecision(conf, running_mode='inference'):
            y = model(x.to(ipex.DEVICE))
"""


@pytest.fixture
def readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The variables of the README program after calibration; its file is in the working directory."""
    pytest.importorskip("intel_pytorch_extension", reason="the compat distribution is not installed")
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    variables: dict[str, Any] = {"cali_dataset": [torch.randn(1, 3, 64, 64) for _ in range(4)]}
    exec(README, variables)
    return variables


def test_readme_program_runs(readme: dict[str, Any]) -> None:
    data = json.loads(Path("configure.json").read_text())
    assert [item["name"] for item in data] == ["Convolution", "Relu"]
    assert [item["id"] for item in data] == [0, 1]
    assert all(set(item) >= FIELDS for item in data)
    assert all(item["quantized"] is True and item["algorithm"] == "min_max" for item in data)
    exec(INFERENCE, readme)
    assert 30 < sqnr(readme["y"], float32(readme["model"], readme["x"].to("ipex"))) < 60


def test_readme_program_without_quantized_gives_float32(readme: dict[str, Any]) -> None:
    path = Path("configure.json")
    path.write_text(path.read_text().replace('"quantized": true', '"quantized": false'))
    exec(INFERENCE, readme)
    expected = float32(readme["model"], readme["x"].to("ipex"))
    torch.testing.assert_close(readme["y"].cpu(), expected, rtol=1e-4, atol=1e-4)


# What the archived extension tested, on the same shapes.


def archived(model: nn.Module, x: Tensor, path: Path) -> None:
    """Asserts what the archived tests did, with the file as it is and with everything in int8."""
    conf = ipex.AmpConf(torch.int8)
    with ipex.AutoMixPrecision(conf, running_mode="calibration"):
        expected = model(x)
    conf.save(path)
    for changes in ({}, {"quantized": True}):
        edit(path, **changes)
        conf = ipex.AmpConf(torch.int8, path)
        with ipex.AutoMixPrecision(conf, running_mode="inference"):
            y = model(x)
        assert (y - expected).abs().max().item() <= 0.1


@pytest.mark.parametrize(("groups", "bias", "dilation"), [*itertools.product([1, 4], [True, False], [1, 2])])
def test_archived_test_of_convolution(groups: int, bias: bool, dilation: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(2 * groups, groups, 3, stride=2, padding=1, dilation=dilation, bias=bias, groups=groups)
    archived(conv.to("ipex"), torch.randn(3, 2 * groups, 224, 224).to("ipex"), tmp_path / "configure.json")


OTHERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "relu": (nn.ReLU, (4, 5)),
    "adaptive average pool": (lambda: nn.AdaptiveAvgPool2d(7), (3, 4, 224, 224)),
    "average pool with pad": (lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=True), (3, 4, 64, 64)),
    "average pool without pad": (lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False), (3, 4, 64, 64)),
    "linear": (lambda: nn.Linear(7, 31), (3, 7)),
    "linear without bias": (lambda: nn.Linear(7, 31, bias=False), (3, 7)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_archived_test_of_other_layers(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    make, sizes = OTHERS[name]
    archived(make().to("ipex"), torch.randn(sizes).to("ipex"), tmp_path / "configure.json")


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_archived_test_of_max_pool(stride: int, ceil_mode: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    pool = nn.MaxPool2d(7 if ceil_mode else 3, stride=stride, padding=1, ceil_mode=ceil_mode)
    for size in [(64, 64), (35, 39), (16, 19), (7, 8)]:
        archived(pool, torch.randn(3, 4, *size).to("ipex"), tmp_path / "configure.json")


def test_archived_test_of_a_changed_file(tmp_path: Path) -> None:
    """`quantized` that somebody set to false stays so when calibration goes on."""
    path = tmp_path / "configure.json"
    model, x = made(lambda: nn.Linear(5, 10)), torch.randn(4, 5).to("ipex")
    calibrated(model, [x]).save(path)
    edit(path, quantized=False)
    conf = ipex.AmpConf(torch.int8, path)
    calibrate(conf, model, [x])
    conf.save(path)
    assert json.loads(path.read_text())[0]["quantized"] is False
    torch.testing.assert_close(infer(ipex.AmpConf(torch.int8, path), model, x), float32(model, x))


# Recipes that the archived extension wrote.


class Chains(nn.Module):
    """What the archived extension computed as one operator each."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, padding=1)
        self.second = nn.Conv2d(16, 16, 3, padding=1)
        self.third = nn.Conv2d(16, 16, 3, padding=1)
        self.out = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x))
        y = F.relu(self.second(x) + x)
        y = self.third(y) + x
        return F.gelu(self.out(y.mean((2, 3))))


CHAINS = {
    "Convolution_Relu": (0, 1),
    "Convolution_Sum_Relu": (2, 4),
    "Convolution_Sum": (5, 6),
    "LinearFuseEltwise": (7, 8),
}
"""Names of the archived extension: entry of the first operator, and of the last."""


def old(number: int, name: str, first: ipex.int8.Entry, last: ipex.int8.Entry) -> dict[str, Any]:
    """Returns an entry as the archived tool wrote it, that begins and ends as entries of this package do."""
    return {
        "id": number,
        "name": name,
        "algorithm": "min_max",
        "weight_granularity": "per_channel",
        "inputs_scale": first.inputs_scale[:1],
        "outputs_scale": last.outputs_scale,
        "inputs_uint8_used": first.inputs_uint8_used[:1],
        "outputs_uint8_used": last.outputs_uint8_used,
        "quantized": True,
    }


def old_chains(path: Path, model: nn.Module, batches: list[Tensor]) -> list[dict[str, Any]]:
    """Writes the recipe of `Chains`, and returns what it says."""
    entries = calibrated(model, batches).calibration.entries()
    data = [old(i, name, entries[a], entries[b]) for i, (name, (a, b)) in enumerate(CHAINS.items())]
    path.write_text(json.dumps(data, indent=4))
    return data


def test_recipe_with_compound_names_runs_separate_operators(tmp_path: Path) -> None:
    model, batches = made(Chains), [image(seed) for seed in range(3)]
    old_chains(tmp_path / "old.json", model, batches)
    conf = ipex.AmpConf(torch.int8, tmp_path / "old.json")
    assert names(conf) == list(CHAINS)
    for x in batches:
        assert 30 < sqnr(infer(conf, model, x), float32(model, x)) < 80


@pytest.mark.xfail(reason="values between the operators of a compound entry count as its inputs and results")
def test_calibration_of_compound_names_observes_the_ends(tmp_path: Path) -> None:
    model, batches = made(Chains), [image(seed) for seed in range(3)]
    data = old_chains(tmp_path / "old.json", model, batches)
    conf = ipex.AmpConf(torch.int8, tmp_path / "old.json")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = calibrate(conf, model, batches)
        entries = conf.calibration.entries()
    assert same_bits(results, [float32(model, x) for x in batches])
    for entry, item in zip(entries, data, strict=True):
        assert (entry.inputs_scale, entry.outputs_scale) == (item["inputs_scale"], item["outputs_scale"])


@pytest.mark.parametrize("last", ["none", "relu in place", "bn"])
def test_what_follows_a_compound_otherwise_is_right_or_refused(last: str, tmp_path: Path) -> None:
    """The operators of a compound entry are optional; others are not part of it."""
    conv, norm = made(lambda: nn.Conv2d(3, 16, 3)), made(lambda: nn.BatchNorm2d(16), 1)
    entries = calibrated(lambda x: F.relu(conv(x)), [image()]).calibration.entries()
    (tmp_path / "old.json").write_text(json.dumps([old(0, "Convolution_Relu", entries[0], entries[1])]))
    conf = ipex.AmpConf(torch.int8, tmp_path / "old.json")
    if last == "bn":
        with pytest.raises(RuntimeError, match="E402 entry 0 .*Convolution_Relu .*the program runs BatchNorm"):
            infer(conf, lambda x: norm(conv(x)), image())
    else:
        program = conv if last == "none" else lambda x: F.relu_(conv(x))
        assert_near(infer(conf, program, image()), float32(program, image()))


@pytest.mark.parametrize("as_the_tool_wrote", [False, True])
def test_operators_that_the_tool_did_not_know_are_no_positions(as_the_tool_wrote: bool, tmp_path: Path) -> None:
    """The tool wrote 127.5 / max|x| and no uint8; Add had no entry."""
    model, batches = made(Residual), [image(seed) for seed in range(2)]
    entries = [each for each in calibrated(model, batches).calibration.entries() if not each.name.startswith("Add")]
    data = [old(number, entry.name, entry, entry) for number, entry in enumerate(entries)]
    for item in data if as_the_tool_wrote else ():
        for side in ("inputs", "outputs"):
            largest = (255 if item[f"{side}_uint8_used"][0] else 127) / item[f"{side}_scale"][0]
            item[f"{side}_scale"], item[f"{side}_uint8_used"] = [127.5 / largest], [False]
    (tmp_path / "old.json").write_text(json.dumps(data))
    conf = ipex.AmpConf(torch.int8, tmp_path / "old.json")
    assert {"Convolution", "BatchNorm", "Relu", "Relu_", "AdaptiveAvgPool2d", "Linear"} == set(names(conf))
    for x in batches:
        assert 30 < sqnr(infer(conf, model, x), float32(model, x)) < 80
    calibrate(conf, model, batches)
    conf.save(tmp_path / "again.json")
    again = ipex.int8.load(tmp_path / "again.json")
    assert ipex.int8.is_legacy(again) and len(again) == len(data)
    assert_near(infer(ipex.AmpConf(torch.int8, tmp_path / "again.json"), model, batches[0]), float32(model, batches[0]))

"""Programs of the archived extension: the one of its README and its tests of int8."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import torch_ipex_device as ipex

from .models import (
    calibrate,
    calibrated,
    edit,
    float32,
    made,
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
        assert ipex.physical_form(y).quantized_dtype is not None or not changes
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
    with ipex.AutoMixPrecision(ipex.AmpConf(torch.int8, path)):
        y = model(x)
    assert ipex.physical_form(y).quantized_dtype is None
    torch.testing.assert_close(y.cpu(), float32(model, x))

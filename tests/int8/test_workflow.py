"""Calibrate, save, edit, infer: the programs of the archived extension, what a recipe may say, and what is refused."""

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
    MODELS,
    Plain,
    Readme,
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


@pytest.mark.xfail(reason="what nobody reads before the next forward is not observed: only the last batch counts")
def test_calibration_observes_results_that_the_program_drops() -> None:
    model, batches = made(Readme), [image(0, size=24) * 9, image(1, size=24)]
    conf = ipex.AmpConf(torch.int8)
    with torch.no_grad():
        for x in batches:
            with ipex.AutoMixPrecision(conf, running_mode="calibration"):
                y = model(x)
    entries = conf.calibration.entries()
    del y
    assert [entry.outputs_scale for entry in entries] == [
        entry.outputs_scale for entry in calibrated(model, batches).calibration.entries()
    ]


@pytest.mark.xfail(reason="what nobody reads is not observed: its entry says `quantized: false`")
def test_calibration_needs_no_use_of_results() -> None:
    model, conf = made(Readme), ipex.AmpConf(torch.int8)
    calibrate(conf, lambda x: model(x) is None, [image(0, size=24)])
    assert [entry.quantized for entry in conf.calibration.entries()] == [True, True]


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


@pytest.mark.parametrize(("groups", "bias", "dilation"), itertools.product([1, 4], [True, False], [1, 2]))
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


# Models.


@pytest.mark.parametrize("name", MODELS)
def test_int8_is_near_float32(name: str, tmp_path: Path) -> None:
    model, batches = made(MODELS[name]), [image(seed) for seed in range(3)]
    conf = calibrated(model, batches)
    conf.save(tmp_path / "recipe.json")
    loaded = ipex.AmpConf(torch.int8, tmp_path / "recipe.json")
    for x in [*batches, image(9)]:
        got = infer(conf, model, x)
        assert_near(got, float32(model, x))
        assert same_bits(got, infer(loaded, model, x))
        assert not torch.equal(got, float32(model, x))


@pytest.mark.parametrize("name", MODELS)
def test_nothing_quantized_is_float32(name: str, tmp_path: Path) -> None:
    model, x = made(MODELS[name]), image()
    calibrated(model, [x]).save(tmp_path / "recipe.json")
    edit(tmp_path / "recipe.json", quantized=False)
    conf = ipex.AmpConf(torch.int8, tmp_path / "recipe.json")
    torch.testing.assert_close(infer(conf, model, x), float32(model, x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "x",
    [image()[:1], image(1, size=21), image(2).contiguous(memory_format=torch.channels_last), image(3, size=40)[..., ::2]],
    ids=["one", "larger", "channels last", "strided"],
)
def test_a_recipe_serves_other_shapes_and_layouts(x: Tensor) -> None:
    model = made(Plain)
    assert_near(infer(calibrated(model, [image()]), model, x), float32(model, x))


def test_an_empty_batch_takes_no_entries() -> None:
    model, x = made(Plain), image()
    conf = calibrated(model, [x])
    expected = infer(conf, model, x)
    with torch.no_grad(), ipex.AutoMixPrecision(conf):
        assert model(x[:0]).shape == (0, 10)
        assert same_bits(model(x), expected)


def test_the_mode_is_int8_inside() -> None:
    conf = calibrated(made(Plain), [image()])
    for mode in ("calibration", "inference"):
        with ipex.AutoMixPrecision(conf, running_mode=mode):
            assert ipex.get_auto_mix_precision() == torch.int8
        assert ipex.get_auto_mix_precision() is None


@pytest.mark.parametrize("algorithm", ["min_max", "moving_average_min_max", "percentile", "kl"])
def test_every_algorithm_gives_a_recipe(algorithm: str) -> None:
    model, batches = made(Plain), [image(seed) for seed in range(2)]
    conf = calibrated(model, batches, algorithm=algorithm)
    assert {entry.algorithm for entry in conf.calibration.entries()} == {algorithm}
    assert_near(infer(conf, model, batches[0]), float32(model, batches[0]))


# What is refused.

INT8 = ipex.AmpConf(torch.int8)
BF16 = ipex.AmpConf(torch.bfloat16)
REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "training": (lambda: ipex.AutoMixPrecision(INT8, running_mode="training"), ValueError, "E103 .*inference with .*int8"),
    "Inference": (lambda: ipex.AutoMixPrecision(INT8, running_mode="Inference"), ValueError, "E103"),
    "mode None": (lambda: ipex.AutoMixPrecision(INT8, running_mode=None), ValueError, "E103"),  # type: ignore[arg-type]
    "calibration of bfloat16": (lambda: ipex.AutoMixPrecision(BF16, "calibration"), ValueError, "E103"),
    "calibration of nothing": (lambda: ipex.AutoMixPrecision(ipex.AmpConf(None), "calibration"), ValueError, "E103"),
    "process-wide": (lambda: ipex.enable_auto_mixed_precision(torch.int8), ValueError, "E103 got torch.int8"),
    "uint8": (lambda: ipex.AmpConf(torch.uint8), ValueError, "E103"),
    "name of a dtype": (lambda: ipex.AmpConf("int8"), TypeError, "E101 got str"),  # type: ignore[arg-type]
    "algorithm": (lambda: ipex.AmpConf(torch.int8, algorithm="minmax"), ValueError, "E103 .*min_max, .*percentile, kl"),
    "file that is a number": (lambda: ipex.AmpConf(torch.int8, 3), TypeError, "E101 got int"),  # type: ignore[arg-type]
    "file of bytes": (lambda: ipex.AmpConf(torch.int8, b"a.json"), TypeError, "E101 got bytes"),  # type: ignore[arg-type]
    "no file": (lambda: ipex.AmpConf(torch.int8, "no/such/file.json"), FileNotFoundError, "no/such/file.json"),
    "folder": (lambda: ipex.AmpConf(torch.int8, "/"), IsADirectoryError, "/"),
    "save to a number": (lambda: INT8.save(3), TypeError, "E101 got int"),  # type: ignore[arg-type]
    "save nothing": (lambda: INT8.save("recipe.json"), RuntimeError, "E403 .*calibrate first"),
    "save bfloat16": (lambda: BF16.save("recipe.json"), ValueError, "E103 .*only torch.int8 has a recipe"),
    "recipe of bfloat16": (lambda: BF16.calibration, ValueError, "E103 .*only torch.int8 has a recipe"),
    "inference of nothing": (lambda: ipex.AutoMixPrecision(INT8).__enter__(), RuntimeError, "E403 .*calibrate first"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    call, exception, text = REFUSED[name]
    with pytest.raises(exception, match=text):
        call()
    assert ipex.get_auto_mix_precision() is None
    assert not list(tmp_path.iterdir())


def test_a_conf_says_what_it_is() -> None:
    assert repr(INT8) == "AmpConf(torch.int8)"
    assert names(INT8) == []

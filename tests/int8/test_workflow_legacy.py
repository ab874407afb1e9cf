"""Recipes that the archived extension wrote: operators under compound names, and operators that it did not know."""

from __future__ import annotations

import json
import warnings
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
    float32,
    image,
    infer,
    made,
    names,
    same_bits,
    sqnr,
)


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
        with pytest.raises(RuntimeError, match=r"E402 entry 0 .*Convolution_Relu .*the program runs BatchNorm"):
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

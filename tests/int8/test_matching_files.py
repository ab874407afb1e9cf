"""Recipes that somebody broke: refused before anything computes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import torch_ipex_device as ipex

from .models import Plain, assert_near, calibrated, edit, float32, image, infer, made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The recipe of `Plain`."""
    calibrated(made(Plain), [image()]).save(tmp_path / "recipe.json")
    return tmp_path / "recipe.json"


def assert_refused(path: Path, match: str = "E401") -> None:
    with pytest.raises(ValueError, match=rf"\[.*recipe.json\] E401 .*{match}"):
        ipex.AmpConf(torch.int8, path)
    assert ipex.get_auto_mix_precision() is None


def test_a_file_that_ends_early_is_refused(path: Path) -> None:
    content = path.read_bytes().rstrip()
    for length in range(0, len(content), 97):
        path.write_bytes(content[:length])
        assert_refused(path, "no JSON")


def test_a_file_with_other_bytes_is_refused(path: Path) -> None:
    content = path.read_bytes()
    for change in (
        b"\xff\xfe" + content,
        content + b"]",
        content.replace(b":", b"="),
        b"",
        b"null",
        b"{}",
        b"[[]]",
        b"[1]",
    ):
        path.write_bytes(change)
        assert_refused(path, "")


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "name": (lambda item: item.update(name="Conv"), "field name: got 'Conv'"),
    "no algorithm": (lambda item: item.pop("algorithm"), "field algorithm: missing"),
    "granularity": (lambda item: item.update(weight_granularity="channel"), "field weight_granularity"),
    "scale 0": (lambda item: item.update(inputs_scale=[0]), r"field inputs_scale"),
    "scale below 0": (lambda item: item.update(outputs_scale=[-3.5]), r"field outputs_scale"),
    "two scales": (lambda item: item.update(outputs_scale=[1.0, 2.0]), "field outputs_scale"),
    "no flag": (lambda item: item.update(inputs_uint8_used=[]), "field inputs_uint8_used"),
    "quantized 1": (lambda item: item.update(quantized=1), "field quantized: got 1; accepted: true or false"),
    "id": (lambda item: item.update(id=4), "field id: got 4 at position 1"),
    "version": (lambda item: item.update(version=2), "field version: got 2"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_entry_that_somebody_broke_is_refused_by_name(change: str, path: Path) -> None:
    data = json.loads(path.read_text())
    apply, text = CHANGES[change]
    apply(data[1])
    path.write_text(json.dumps(data))
    assert_refused(path, f"entry 1( .BatchNorm.)?, {text}")


def test_an_empty_recipe_is_no_recipe_for_inference(path: Path) -> None:
    path.write_text("[]")
    conf = ipex.AmpConf(torch.int8, path)
    with pytest.raises(RuntimeError, match=r"E403 .*calibrate first"):
        infer(conf, made(Plain), image())
    with pytest.raises(RuntimeError, match="E403"):
        conf.save(path)
    assert path.read_text() == "[]"


@pytest.mark.parametrize("scale", [1.2e-38, 1e-6, 1e6, 3.4e38])
def test_scales_that_make_no_sense_give_finite_results(scale: float, path: Path) -> None:
    for changes in (
        {"inputs_scale": [scale]},
        {"outputs_scale": [scale]},
        {"inputs_scale": [scale], "outputs_scale": [scale]},
    ):
        edit(path, **changes)
        assert infer(ipex.AmpConf(torch.int8, path), made(Plain), image()).isfinite().all()


def test_fewer_entries_than_before_are_all_there_is() -> None:
    model = made(Plain)
    conf = calibrated(model, [image()])
    conf.calibration.replace(conf.calibration.entries()[:3])
    with pytest.raises(RuntimeError, match=r"E402 entry 0 .*the program runs MaxPooling"):
        infer(conf, model, image())


@pytest.mark.parametrize(
    "changes", [{"outputs_scale": [-1.0]}, {"inputs_scale": []}, {"name": "Conv"}, {"quantized": "no"}]
)
def test_replaced_entries_are_checked_as_those_of_a_file(changes: dict[str, Any]) -> None:
    model = made(Plain)
    conf = calibrated(model, [image()])
    entries = conf.calibration.entries()
    for name, value in changes.items():
        setattr(entries[0], name, value)
    with pytest.raises(ValueError, match="E401 entry 0"):
        conf.calibration.replace(entries)
    assert_near(infer(conf, model, image()), float32(model, image()))

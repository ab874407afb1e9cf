"""Recipes while calibration goes on: saved at any time, in one step, loaded, continued, replaced."""

from __future__ import annotations

import json
import threading
import warnings
from pathlib import Path

import pytest
import torch

import torch_ipex_device as ipex

from .models import (
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
    scales,
    sqnr,
)


def test_saving_in_the_middle_of_a_block_changes_nothing(tmp_path: Path) -> None:
    model, batches = made(Plain), [image(0) * 0.1, image(1)]
    conf, results = ipex.AmpConf(torch.int8), []
    with torch.no_grad(), ipex.AutoMixPrecision(conf, running_mode="calibration"):
        for number, x in enumerate(batches):
            results.append(model(x))
            conf.save(tmp_path / f"{number}.json")
    assert same_bits(results, [float32(model, x) for x in batches])
    assert scales(ipex.AmpConf(torch.int8, tmp_path / "0.json")) == scales(calibrated(model, batches[:1]))
    assert scales(ipex.AmpConf(torch.int8, tmp_path / "1.json")) == scales(calibrated(model, batches))


def test_saving_between_operators_holds_those_that_ran(tmp_path: Path) -> None:
    model, conf, seen = made(Plain), ipex.AmpConf(torch.int8), []

    def save(*_: object) -> None:
        conf.save(tmp_path / "recipe.json")
        seen.append(len(ipex.int8.load(tmp_path / "recipe.json")))

    for layer in (model.conv, model.norm, model.out):
        layer.register_forward_hook(save)
    (result,) = calibrate(conf, model, [image()])
    assert seen == [1, 2, 6]
    assert sqnr(result, float32(model, image())) > 100  # a reader of open values: they are not fused any more
    assert_near(infer(conf, model, image()), float32(model, image()))


def test_saving_twice_writes_the_same_bytes(tmp_path: Path) -> None:
    conf = calibrated(made(Residual), [image()])
    written = []
    for name in "ab":
        conf.save(tmp_path / name)
        written.append((tmp_path / name).read_bytes())
    ipex.AmpConf(torch.int8, tmp_path / "a").save(tmp_path / "c")
    assert written[0] == written[1] == (tmp_path / "c").read_bytes()


def test_readers_never_see_a_part_of_a_file(tmp_path: Path) -> None:
    path, done, lengths = tmp_path / "recipe.json", threading.Event(), set()
    confs = [calibrated(made(each), [image()]) for each in (Plain, Residual)]
    confs[0].save(path)

    def read() -> None:
        while not done.is_set():
            lengths.add(len(json.loads(path.read_text())))

    thread = threading.Thread(target=read)
    thread.start()
    for _ in range(10):
        for conf in confs:
            conf.save(path)
    done.set()
    thread.join()
    assert lengths <= {len(names(conf)) for conf in confs}
    assert [each.name for each in tmp_path.iterdir()] == ["recipe.json"]


def test_a_failed_save_keeps_the_old_file(tmp_path: Path) -> None:
    path, conf = tmp_path / "recipe.json", calibrated(made(Plain), [image()])
    conf.save(path)
    before = path.read_bytes()
    conf.calibration.entries()[0].outputs_scale = [float("nan")]
    with pytest.raises(ValueError, match="E401 entry 0"):
        conf.save(path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["recipe.json"]


# Going on.


def test_order_of_data_does_not_matter_to_min_max() -> None:
    model, batches = made(Residual), [image(seed) * (1 + seed) for seed in range(4)]
    assert scales(calibrated(model, batches)) == scales(calibrated(model, batches[::-1]))


@pytest.mark.parametrize("way", ["one conf", "inference between", "saved and loaded"])
def test_two_halves_are_the_whole(way: str, tmp_path: Path) -> None:
    model, batches = made(Residual), [image(seed) * (1 + seed) for seed in range(4)]
    conf = calibrated(model, batches[:2])
    if way == "inference between":
        infer(conf, model, batches[3])
    if way == "saved and loaded":
        conf.save(tmp_path / "recipe.json")
        conf = ipex.AmpConf(torch.int8, tmp_path / "recipe.json")
    results = calibrate(conf, model, batches[2:])
    assert scales(conf) == scales(calibrated(model, batches))
    del results


def test_going_on_keeps_what_somebody_edited(tmp_path: Path) -> None:
    model, path = made(Plain), tmp_path / "recipe.json"
    calibrated(model, [image(0) * 2]).save(path)
    data = json.loads(path.read_text())
    data[0] |= {"quantized": False, "weight_granularity": "per_tensor", "note": "by hand"}
    data[1] |= {"outputs_uint8_used": [False], "algorithm": "percentile", "percentile": 90.0}
    data[5] |= {"inputs_uint8_used": [False]}
    path.write_text(json.dumps(data))
    conf = ipex.AmpConf(torch.int8, path)
    results = calibrate(conf, model, [image(1)])
    conf.save(path)
    del results
    found = json.loads(path.read_text())
    for number, fields in {0: ("quantized", "weight_granularity", "note"), 1: ("algorithm", "percentile")}.items():
        assert all(found[number][field] == data[number][field] for field in fields)
    for item, before in zip(found, data, strict=True):
        assert item["inputs_uint8_used"] == before["inputs_uint8_used"]
        assert item["outputs_uint8_used"] == before["outputs_uint8_used"]
        if item["algorithm"] == "min_max":
            assert item["inputs_scale"][0] <= before["inputs_scale"][0] * 1.0001  # the larger range
    assert_near(infer(ipex.AmpConf(torch.int8, path), model, image()), float32(model, image()))


def test_replaced_entries_count() -> None:
    model, x = made(Plain), image()
    conf = calibrated(model, [x])
    entries = conf.calibration.entries()
    for entry in entries:
        entry.quantized = False
    conf.calibration.replace(entries)
    torch.testing.assert_close(infer(conf, model, x), float32(model, x), rtol=1e-5, atol=1e-5)
    for entry in entries:
        entry.quantized, entry.weight_granularity = True, "per_tensor"
    conf.calibration.replace(entries)
    assert_near(infer(conf, model, x), float32(model, x))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = calibrate(conf, model, [x * 3])
        assert conf.calibration.entries()[0].inputs_scale[0] < entries[0].inputs_scale[0]
    assert {entry.weight_granularity for entry in conf.calibration.entries()} == {"per_tensor"}
    del results

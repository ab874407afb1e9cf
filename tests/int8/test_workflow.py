"""Calibrate, save, edit, infer: what int8 gives, what a recipe may say, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import torch_ipex_device as ipex

from .models import MODELS, Plain, assert_near, calibrated, edit, float32, image, infer, made, names, same_bits


@pytest.mark.parametrize("name", MODELS)
def test_int8_is_near_float32(name: str, tmp_path: Path) -> None:
    model, batches = made(MODELS[name]), [image(seed) for seed in range(2)]
    conf = calibrated(model, batches)
    conf.save(tmp_path / "recipe.json")
    loaded = ipex.AmpConf(torch.int8, tmp_path / "recipe.json")
    for x in [batches[0], image(9)]:
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
    [
        image()[:1],
        image(1, size=21),
        image(2).contiguous(memory_format=torch.channels_last),
        image(3, size=40)[..., ::2],
    ],
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
    "training": (
        lambda: ipex.AutoMixPrecision(INT8, running_mode="training"),
        ValueError,
        "E103 .*inference with .*int8",
    ),
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

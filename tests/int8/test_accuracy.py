"""INT8 keeps what trained models know: handwritten digits, and a transformer with real weights."""

from __future__ import annotations

import math
import runpy
from pathlib import Path
from typing import Any

import pytest
import torch

import torch_ipex_device as ipex

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LEAST_DB = 20.0
"""Of a layer alone in int8, on the inputs of the float32 program."""


def least_noisy(report: ipex.int8.Report) -> tuple[float, str | None]:
    """The smallest SQNR of a layer alone in int8, and its module."""
    own = [(layer.own_sqnr_db, layer.module) for layer in report.layers if layer.own_sqnr_db not in (None, math.inf)]
    return min(own)


@pytest.fixture(scope="module")
def digits() -> tuple[dict[str, Any], Any, ipex.AmpConf]:
    example = runpy.run_path(str(EXAMPLES / "int8_digits.py"))
    model = example["trained"]().to("ipex")
    conf = ipex.AmpConf(torch.int8)
    with torch.no_grad(), ipex.AutoMixPrecision(conf, "calibration"):
        for batch in example["images"]()[0][example["TESTED"] :].split(500):
            model(batch.to("ipex")).cpu()
    return example, model, conf


@pytest.fixture(scope="module")
def minilm() -> tuple[dict[str, Any], Any, ipex.AmpConf]:
    example = runpy.run_path(str(EXAMPLES / "int8_minilm.py"))
    encoder = example["Encoder"]().to("ipex")
    return example, encoder, example["calibrated"](encoder)


def test_digits_are_read_as_well_as_in_float32(digits: tuple[dict[str, Any], Any, ipex.AmpConf]) -> None:
    example, model, conf = digits
    before = example["top_1"](model)
    with ipex.AutoMixPrecision(conf):
        after = example["top_1"](model)
    print(f"digits: top-1 {before:.4f} in float32, {after:.4f} in int8")
    assert before > 0.95
    assert after >= before - 0.005


def test_layers_of_the_digits_model_keep_20_db(digits: tuple[dict[str, Any], Any, ipex.AmpConf]) -> None:
    example, model, conf = digits
    report = ipex.int8.report(model, conf, [example["images"]()[0][: example["TESTED"]]], repeats=1)
    print("digits: ", least_noisy(report), report.sqnr_db)
    assert all(layer.quantized and not layer.reason for layer in report.layers)
    assert least_noisy(report)[0] >= LEAST_DB
    assert min(layer.sqnr_db for layer in report.layers) >= LEAST_DB  # with all the noise before it, too


def test_sentences_are_as_near_to_each_other_as_in_float32(minilm: tuple[dict[str, Any], Any, ipex.AmpConf]) -> None:
    example, encoder, conf = minilm
    tokens = encoder.tokens(example["COMPARED"])
    with torch.no_grad():
        reference = encoder(**tokens).cpu()
        with ipex.AutoMixPrecision(conf):
            vectors = encoder(**tokens).cpu()
    correlation = example["rank_correlation"](vectors, reference)
    print(f"MiniLM: Spearman {correlation:.4f}")
    assert correlation >= 0.98


def test_layers_of_the_encoder_keep_20_db(minilm: tuple[dict[str, Any], Any, ipex.AmpConf]) -> None:
    example, encoder, conf = minilm
    report = ipex.int8.report(encoder, conf, [encoder.tokens(example["COMPARED"])], repeats=1)
    in_int8 = [layer for layer in report.layers if layer.name == "Linear" and layer.quantized]
    print("MiniLM: ", least_noisy(report), report.sqnr_db, f"{len(in_int8)} linear layers in int8")
    assert len(in_int8) >= 24 and all(not layer.reason for layer in in_int8)
    assert least_noisy(report)[0] >= LEAST_DB

"""Accuracy of int8: trained models with real data, calibration that is not the test, a row for everybody."""

from __future__ import annotations

import runpy

import pytest
import torch
from torch import nn


@pytest.fixture
def trained(models):
    return models.TRAINED


@pytest.mark.parametrize("name", ["digits", "minilm"])
def test_calibration_batches_have_the_shape_of_the_test_and_none_of_its_samples(trained, name):
    row = trained[name]
    test, batches = row.example(row.batch), row.calibration(row.batch)
    assert len(test) == row.batch and test.shape[1:] == row.sample
    assert len(batches) >= 2 and all(batch.shape == test.shape for batch in batches)
    # A few of the digits are written alike to the last of their 64 pixels.
    seen = {sample.numpy().tobytes() for batch in batches for sample in batch}
    assert sum(sample.numpy().tobytes() in seen for sample in test) <= 0.01 * len(test)


def test_digits_are_learnt_the_same_way_every_time(trained):
    row = trained["digits"]
    first, again = row.build(), row.build()
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    with torch.inference_mode():
        output = first(row.example(row.batch))
    assert row.score(output, output) >= 0.97


def test_minilm_is_the_original(trained):
    from models import minilm

    sentences = runpy.run_path(str(minilm.SOURCE))["SENTENCES"]
    row = trained["minilm"]
    with torch.inference_mode():
        torch.testing.assert_close(row.build()(row.example(row.batch)), minilm.original()(sentences))


def test_no_calibration_sentence_is_truncated(trained):
    # Every row begins with [CLS] and ends with [SEP], whose ids are 101 and 102.
    rows = torch.cat([trained["minilm"].example(10), *trained["minilm"].calibration(10)])
    assert bool((rows[:, 0] == 101).all()) and bool(((rows == 102).sum(1) == 1).all())


def test_rank_correlation_of_pairs(trained):
    score = trained["minilm"].score
    vectors = nn.functional.normalize(torch.randn(10, 8, generator=torch.Generator().manual_seed(0)))
    assert score(vectors, vectors) == pytest.approx(1)
    assert score(2 * vectors, vectors) == pytest.approx(1)
    other = nn.functional.normalize(torch.randn(10, 8, generator=torch.Generator().manual_seed(1)))
    assert abs(score(other, vectors)) < 0.5


def test_top_1_counts_right_labels(trained):
    row = trained["digits"]
    from models import digits

    labels = digits._images()[1][: digits.TEST]
    output = nn.functional.one_hot(labels, 10).float()
    assert row.score(output, output) == 1
    assert row.score(-output, output) == 0


def test_peer_that_is_missing_is_a_row_with_its_reason(benchmarks, trained, monkeypatch, tmp_path):
    pytest.importorskip("rich", reason="rich is not installed; `make demo` installs it")
    import int8_accuracy

    arguments = ["--models", "digits", "--peers", "openvino", "--environments", str(tmp_path), "--threads", "1"]
    options = int8_accuracy.parser().parse_args(arguments)
    (row,) = int8_accuracy.compare("digits", options, tmp_path)
    assert row.error == "not installed: run `python benchmarks/setup_peers.py openvino`"
    assert (row.float32, row.int8, row.sqnr_db) == (None, None, None)


def test_alternatives_are_those_that_offer_int8(benchmarks):
    pytest.importorskip("rich", reason="rich is not installed; `make demo` installs it")
    import int8_accuracy

    assert int8_accuracy.PEERS == ["ipex", "openvino", "onnxruntime"]

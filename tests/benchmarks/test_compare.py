"""The comparison of models: right figures from samples, turns, and a line with the reason for whoever has no figures."""

from __future__ import annotations

import importlib.util
import io
import json
import math
import os

import pytest
import torch

from sanitizers import without_address_sanitizer


@pytest.fixture
def comparison(benchmarks):
    import comparison.interleave
    import comparison.results

    return comparison


@pytest.fixture
def workload(comparison):
    return comparison.workload.Workload("resnet50", batch=2, threads=1)


@pytest.fixture
def summary(comparison, workload):
    """Four alternatives: two baselines, one with every figure, one that failed."""
    of, Agreement = comparison.results.Measurement, comparison.agreement.Agreement
    measurements = {
        "ipex": of(
            [20.0, 10.0, 30.0], Agreement(0.5, 60.0, 0.99), 400_000_000, {"native_calls": 7, "fallback_calls": 1}
        ),
        "eager": of([40.0, 25.0], Agreement(0.0, math.inf, 1.0), 100_000_000),
        "eager-cl": of([20.0], Agreement(math.nan, math.nan, math.nan), 200_000_000),
        "zentorch": of([1.0], error="the worker ended with signal 9"),
    }
    rows = comparison.results.summarise(workload, measurements, {"float32": 200.0})
    return {row.alternative: row for row in rows}


def test_minimum_is_compared_with_the_faster_memory_format(summary):
    row = summary["ipex"]
    assert (row.minimum_ms, row.median_ms, row.p90_ms, row.iterations) == (10.0, 20.0, 30.0, 3)
    assert row.ratio == 0.5
    assert row.memory_mb == 400 and row.memory_ratio == 2.0
    assert summary["eager"].ratio == 1.25


def test_share_of_peak_is_arithmetic_over_time_and_rate(summary):
    assert summary["ipex"].share_of_peak == pytest.approx(8.18 * 2 / 0.010 / 200)


def test_training_step_counts_three_forwards(comparison, workload):
    from dataclasses import replace

    assert replace(workload, mode="training").operations(8.18) == 3 * workload.operations(8.18)


@pytest.mark.parametrize(
    ("mode", "dtype", "parameters", "is_mixed"),
    [
        ("inference", "float32", "float32", False),
        ("inference", "bfloat16", "bfloat16", False),
        ("inference", "mixed", "float32", True),
        ("training", "bfloat16", "float32", True),
        ("training", "mixed", "float32", True),
        ("inference", "int8", "float32", False),
    ],
)
def test_what_is_mixed(workload, mode, dtype, parameters, is_mixed):
    from dataclasses import replace

    changed = replace(workload, mode=mode, dtype=dtype)
    assert (changed.parameters, changed.is_mixed) == (parameters, is_mixed)
    assert changed.arithmetic == ("bfloat16" if dtype == "mixed" else dtype)


def test_share_of_peak_in_int8_is_of_the_rate_of_int8(comparison, workload):
    from dataclasses import replace

    measurement = comparison.results.Measurement([10.0])
    peak = {"float32": 200.0, "bfloat16": 400.0, "int8": 800.0}
    (row,) = comparison.results.summarise(replace(workload, dtype="int8"), {"openvino": measurement}, peak)
    assert row.share_of_peak == pytest.approx(8.18 * 2 / 0.010 / 800)
    assert row.ratio is None


def test_unknown_peak_leaves_the_share_out(comparison, workload):
    measurement = comparison.results.Measurement([1.0])
    (row,) = comparison.results.summarise(workload, {"ipex": measurement}, {"float32": None})
    assert row.share_of_peak is None and row.ratio is None and row.minimum_ms == 1.0


def test_failed_alternative_has_its_reason_and_no_figures(summary):
    row = summary["zentorch"]
    assert row.error == "the worker ended with signal 9"
    assert (row.minimum_ms, row.ratio) == (None, None)


def test_result_that_is_not_finite_is_noted(summary):
    assert summary["eager-cl"].note == "its result is not finite"


def test_rows_are_strict_json_and_can_be_read_again(summary, benchmarks, tmp_path):
    import harness
    import plot

    file = tmp_path / "results.jsonl"
    harness.write_json_lines(str(file), "compare", list(summary.values()))
    lines = [json.loads(line, parse_constant=pytest.fail) for line in file.read_text().splitlines()]
    assert {"cpu", "torch", "benchmark", "kind", "alternative", "minimum_ms"} <= lines[0].keys()
    assert plot.read(str(file)) == list(summary.values())


def test_table_shows_every_alternative_and_every_reason(summary, benchmarks):
    console = pytest.importorskip("rich.console", reason="rich is not installed; `make demo` installs it")
    from comparison.tables import COLUMNS, table

    printer = console.Console(width=120, record=True, file=io.StringIO())
    printer.print(table("title", list(summary.values())))
    text = printer.export_text()
    assert all(name in text for name in summary)
    assert all(column in text for column in COLUMNS)
    assert "zentorch: the worker ended with signal 9" in text
    assert "exact" in text


def test_plot_is_written(summary, benchmarks, tmp_path):
    if importlib.util.find_spec("matplotlib") is None:
        pytest.skip("matplotlib is not installed; it is in the extra `bench`")
    import plot

    plot.draw(list(summary.values()), str(tmp_path / "plot.png"))
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_plot_without_figures_is_one_clear_sentence(comparison, workload, benchmarks):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed; it is in the extra `bench`")
    import plot

    rows = comparison.results.summarise(workload, {"ipex": comparison.results.Measurement(error="x")}, {})
    with pytest.raises(ValueError, match="nothing to draw"):
        plot.draw(rows, os.devnull)


def test_agreement_of_known_noise(comparison):
    exact = torch.ones(1000, dtype=torch.float64)
    agreement = comparison.agreement.compare(exact + 0.01, exact)
    assert agreement.max_error == pytest.approx(0.01)
    assert agreement.sqnr_db == pytest.approx(40)
    assert agreement.cosine == pytest.approx(1)
    assert comparison.agreement.compare(exact, exact).sqnr_db == math.inf


def test_agreement_of_different_shapes_is_an_error(comparison):
    with pytest.raises(ValueError, match=r"the result has shape \(2,\), its reference \(3,\)"):
        comparison.agreement.compare(torch.ones(2), torch.ones(3))


@without_address_sanitizer("keeps freed memory back")
def test_memory_peak_sees_what_was_freed_again(comparison):
    from comparison import memory

    try:
        memory.reset_peak()
    except OSError as error:
        pytest.skip(f"the system does not let a process reset its peak: {error}")
    before = memory.resident()
    block = bytearray(b"x") * 50_000_000
    del block
    assert memory.peak() - before > 45_000_000
    memory.reset_peak()
    assert memory.peak() - before < 45_000_000


def test_each_round_begins_with_another_alternative(comparison):
    turns = [comparison.interleave._order(["a", "b", "c"], turn) for turn in range(4)]
    assert turns == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]
    assert comparison.interleave._order([], 1) == []


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("zentorch", {}, "not installed: run `python benchmarks/setup_peers.py zentorch`"),
        ("openvino", {"mode": "training"}, "not applicable: runs inference only"),
        ("onnxruntime", {"dtype": "bfloat16"}, "not applicable: has no bfloat16 kernels for CPUs"),
        ("onnxruntime", {"dtype": "mixed"}, "not applicable: has no bfloat16 kernels for CPUs"),
        ("eager-cl", {"model": "bert"}, "not applicable: the input has no channels"),
        ("ipex", {"mode": "training"}, None),
        ("ipex", {"dtype": "int8"}, None),
        ("ipex", {"dtype": "int8", "mode": "training"}, "not applicable: runs inference only in int8"),
        ("openvino", {"dtype": "int8"}, "not installed: run `python benchmarks/setup_peers.py openvino`"),
        ("eager", {"dtype": "int8"}, "not available: int8 is not offered for it"),
        ("eager-cl", {"dtype": "int8"}, "not available: int8 is not offered for it"),
        ("inductor", {"dtype": "int8"}, "not available: int8 is not offered for it"),
        ("zentorch", {"dtype": "int8"}, "not available: int8 is not offered for it"),
    ],
)
def test_alternative_says_why_it_cannot_run(comparison, workload, tmp_path, name, changes, reason):
    from dataclasses import replace

    from models import MODELS
    from peers import ALTERNATIVES

    changed = replace(workload, **changes)
    assert ALTERNATIVES[name].refusal(changed, MODELS[changed.model].is_image_model, tmp_path) == reason


def test_every_alternative_has_a_file_that_prepares_it(benchmarks):
    from peers import ALTERNATIVES

    for alternative in ALTERNATIVES.values():
        source = (benchmarks / f"{alternative.module.replace('.', '/')}.py").read_text()
        assert "def prepare(workload: Workload, folder: Path" in source
        assert ("def convert(" in source) is alternative.converts


def test_peers_get_the_torch_of_the_benchmark_and_pinned_versions(benchmarks, tmp_path):
    import setup_peers
    from peers import ALTERNATIVES

    for name in setup_peers.INSTALLABLE:
        assert all("==" in requirement for requirement in ALTERNATIVES[name].requirements)
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed; `make demo` installs it")
    _, packages, _ = setup_peers.commands(ALTERNATIVES["openvino"], tmp_path)
    assert any(package.startswith("nncf==") for package in packages)
    _, packages, vision = setup_peers.commands(ALTERNATIVES["zentorch"], tmp_path)
    assert f"torch=={torch.__version__}" in packages and "zentorch==2.13.0.2" in packages
    assert "--no-deps" in vision


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """One real run, of a small model: stock PyTorch in its own process, and a peer that is not installed."""
    with pytest.MonkeyPatch.context() as patch:
        from pathlib import Path

        patch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
        from comparison.interleave import Plan, measure
        from comparison.workload import Workload
        from peers import ALTERNATIVES

        folder, rounds, judged = tmp_path_factory.mktemp("run"), [], []

        def judge(name, result, reference):
            judged.append((name, result.dtype, reference.dtype, result.shape == reference.shape))

        plan = Plan(2, 0.01, 120, folder, folder / "none", lambda text: None, lambda: rounds.append(1), judge)
        names = ("eager", "zentorch")
        found = measure(Workload("lstm", 1, 1), [ALTERNATIVES[name] for name in names], plan)
        return found, len(rounds), judged


def test_worker_measures_its_blocks(measured):
    eager = measured[0]["eager"]
    assert eager.error is None
    assert len(eager.samples) >= 2 and all(sample > 0 for sample in eager.samples)
    assert eager.versions == {"torch": torch.__version__}
    assert eager.busy == 0


def test_worker_reports_memory_beyond_its_libraries(measured):
    # The model's weights are 21 MB.
    assert 15e6 < measured[0]["eager"].peak_memory < 1e9


def test_worker_agrees_with_float64_to_rounding(measured):
    agreement = measured[0]["eager"].agreement
    assert 0 < agreement.max_error < 1e-5 and agreement.sqnr_db > 100


def test_missing_peer_is_one_line_beside_the_others(measured):
    assert measured[0]["zentorch"].error == "not installed: run `python benchmarks/setup_peers.py zentorch`"


def test_peak_is_measured_before_between_and_after_the_rounds(measured):
    assert measured[1] == 3


def test_judge_sees_each_result_once_beside_its_reference(measured):
    assert measured[2] == [("eager", torch.float32, torch.float64, True)]


def test_data_of_all_alternatives_are_those_of_the_reference(comparison, models, tmp_path):
    from comparison import weights
    from comparison.workload import Workload

    workload = Workload("lstm", 2, 1, dtype="int8")
    weights.save(workload, tmp_path)
    row = models.MODELS["lstm"]
    assert torch.equal(weights.example(workload, tmp_path), row.example(2))
    batches = weights.calibration(workload, tmp_path)
    assert all(torch.equal(batch, again) for batch, again in zip(batches, row.calibration(2), strict=True))


def test_plot_of_int8_is_refused_before_the_run(benchmarks, monkeypatch, capsys):
    pytest.importorskip("rich", reason="rich is not installed; `make demo` installs it")
    pytest.importorskip("matplotlib", reason="matplotlib is not installed; it is in the extra `bench`")
    import compare

    monkeypatch.setattr("sys.argv", ["compare.py", "--dtype", "int8", "--plot", "plot.png"])
    with pytest.raises(SystemExit):
        compare.parse()
    assert "which has none in int8" in capsys.readouterr().err

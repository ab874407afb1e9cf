"""The benchmark harness measures what it says: interleaved blocks, right summaries, limits that can be missed."""

from __future__ import annotations

import argparse
import importlib.util
import json
import time

import pytest


@pytest.fixture
def harness(benchmarks):
    import harness

    return harness


@pytest.fixture
def report(benchmarks):
    if importlib.util.find_spec("rich") is None:
        pytest.skip("rich is not installed; `make demo` installs it")
    import report

    return report


def test_slow_case_is_measured_slower_than_fast_case(harness):
    cases = [harness.Case("slow", lambda: time.sleep(0.002)), harness.Case("fast", lambda: None)]
    slow, fast = harness.measure(cases, blocks=5, block_seconds=0.002)
    assert slow.minimum >= 2000
    assert fast.minimum < 100


def test_cases_take_turns(harness):
    order = []
    cases = [harness.Case(name, lambda name=name: (time.sleep(0.002), order.append(name))) for name in "ab"]
    harness.measure(cases, blocks=4, block_seconds=0.001)
    assert "".join(order[-8:]) == "abababab"


def test_summary_orders_its_samples(harness):
    timing = harness.Timing.of("x", [3.0, 1.0, 2.0, 10.0], calls=4)
    assert (timing.minimum, timing.median, timing.p90) == (1.0, 2.5, 10.0)


@pytest.mark.parametrize(("value", "kept"), [(0.7, True), (0.71, False)])
def test_limit_is_kept_up_to_its_value(harness, value, kept):
    assert harness.Limit("x", value, 0.7, "us").kept is kept


@pytest.mark.parametrize(("check", "value", "status"), [(True, 2.0, 1), (True, 0.5, 0), (False, 2.0, 0)])
def test_missed_limit_fails_only_when_checked(harness, report, check, value, status):
    options = argparse.Namespace(check=check, json=None)
    assert report.finish(options, "x", [], [harness.Limit("x", value, 1.0, "us")]) == status


def test_json_lines_carry_machine_and_figures(harness, tmp_path):
    file = tmp_path / "results.jsonl"
    rows = [harness.Timing.of("x", [1.0], 1), harness.Limit("y", 1.0, 2.0, "s")]
    harness.write_json_lines(str(file), "example", rows)
    harness.write_json_lines(str(file), "example", rows)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["timing", "limit"] * 2
    assert {"cpu", "cores", "torch", "benchmark", "name"} <= lines[0].keys()


def test_best_run_is_the_quietest(harness, report):
    quiet, busy = harness.Timing("x", 1.0, 1.1, 1.2, 1), harness.Timing("x", 0.9, 5.0, 9.0, 1)
    assert report.best([[busy], [quiet]]) == [quiet]


def test_program_of_unused_import_reports_its_times(report):
    import unused_import

    times = unused_import.run_program("0")
    assert set(times) == {"import torch", "add of one element", "tiny forward + backward"}
    assert all(seconds > 0 for seconds in times.values())

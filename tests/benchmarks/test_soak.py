"""The soak: what it calls growth, that its actions give right answers, that a wrong answer is found."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch

import torch_ipex_device as ipex

ANY = {"rss": 500.0, "held": 400.0, "allocated": 4.0, "reserved": 6.0, "primitives": 9, "objects": 500_000}
TIMEOUT_SECONDS = 900
ACTIONS = ["amp inference", "amp training", "autocast inference", "autocast training", "checkpoint", "compiled"]
ACTIONS += ["deepcopy", "errors", "fallback", "inference", "int8", "loader with a worker", "optimize", "profiler"]
ACTIONS += ["settings", "split masters", "there and back", "threads", "training"]
SLOW = {"compiled": "compiles eight models"}


@pytest.fixture
def soak(benchmarks):
    pytest.importorskip("rich", reason="rich is not installed; `make demo` installs it")
    import soak

    return soak


def samples(soak, count=100, **growth):
    """Samples of a process whose figures grow by so much a sample."""
    rows = []
    for place in range(count):
        values = {name: value + place * growth.get(name, 0) for name, value in ANY.items()}
        counts = {name: 6 + place * growth.get(name, 0) for name in ("files", "threads")}
        rows.append(soak.Sample(seconds=10.0 * place, **values, **counts))
    return rows


def missed(soak, rows, warm_up=0):
    return [limit.name for limit in soak.limits(soak.figures(rows, warm_up)) if not limit.kept]


def test_constant_process_is_flat(soak):
    assert missed(soak, samples(soak)) == []


@pytest.mark.parametrize(
    ("name", "by"), [("held", 0.2), ("allocated", 0.02), ("rss", 0.5), ("objects", 100), ("files", 1), ("threads", 1)]
)
def test_growth_is_found(soak, name, by):
    found = missed(soak, samples(soak, **{name: by}))
    assert found and all(f"growth of {name}" in each for each in found)


def test_outliers_and_warm_up_do_not_count(soak):
    rows = samples(soak)
    rows[90] = soak.Sample(**{**vars(rows[90]), "held": 900.0, "files": 60})
    for place in range(20):
        rows[place] = soak.Sample(**{**vars(rows[place]), "held": 10.0 * place})
    assert missed(soak, rows, warm_up=200) == []


def test_wrong_answer_is_a_failure(soak, monkeypatch):
    options = soak.parser().parse_args(["--minutes", "0", "--only", "inference", "--every", "1"])
    run = soak.Soak(options)
    for pair in run.work.pairs:
        with torch.no_grad():
            next(pair.ipex.parameters()).add_(1)
    monkeypatch.setattr(soak.console, "quiet", True)
    for _ in range(3):
        run._act("inference")
    assert run.failures["inference"] == run.times["inference"] == 3


@pytest.fixture
def settings():
    """Restores what the action of this name changes."""
    capacity, fusion = ipex._C.primitive_cache_stats()["capacity"], torch.ipex.eager_fusion()
    yield
    ipex._C.set_primitive_cache_capacity(capacity)
    torch.ipex.set_eager_fusion(fusion)


def test_actions_of_the_table(soak):
    assert sorted(soak.ACTIONS) == ACTIONS


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in ACTIONS]
)
def test_action_gives_right_answers(soak, settings, name, capsys):
    """Every answer is compared with that of stock PyTorch on CPU."""
    run = soak.Soak(soak.parser().parse_args(["--only", name, "--every", "1"]))
    for _ in range(3):
        run._act(name)
    assert run.failures[name] == 0, capsys.readouterr().out
    assert run.work.compared[name] == run.work.calls[name] >= 3


def test_program_reports_what_it_found(soak, tmp_path):
    arguments = ["--minutes", "0.1", "--warm-up", "0", "--interval", "1", "--json", "soak.json"]
    names = [name for name in ACTIONS if name not in SLOW]
    run = subprocess.run(
        [sys.executable, soak.__file__, *arguments, "--only", *names],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert "growth of held" in run.stdout, run.stderr
    rows = [json.loads(line) for line in (tmp_path / "soak.json").read_text().splitlines()]
    assert sum(row["kind"] == "sample" for row in rows) >= 2
    failures = [row["value"] for row in rows if row.get("name") == "failures"]
    assert failures == [0], run.stdout
    misses = any(row["value"] > row["accepted"] for row in rows if row["kind"] == "limit")
    assert run.returncode == misses

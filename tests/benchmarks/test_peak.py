"""The measurement of what the cores can do: it compiles, gives a plausible figure, and says clearly why it cannot."""

from __future__ import annotations

import shutil

import pytest


@pytest.fixture
def peak(benchmarks):
    import peak

    return peak


@pytest.fixture
def program(peak, tmp_path):
    if shutil.which("g++") is None:
        pytest.skip("there is no g++ to compile the loops with")
    return peak.build(tmp_path)


def test_rates_are_plausible_or_null(peak, program):
    rates = peak.measure(program, threads=1, repetitions=3)
    assert list(rates) == ["float32", "bfloat16", "int8"]
    assert all(rate is None or 1 < rate < 10_000 for rate in rates.values())


def test_program_is_compiled_once(peak, program):
    before = program.stat().st_mtime_ns
    assert peak.build(program.parent) == program
    assert program.stat().st_mtime_ns == before


def test_largest_keeps_the_best_of_each_type(peak):
    a = {"float32": 10.0, "bfloat16": None}
    assert peak.largest(a, {"float32": 12.0, "bfloat16": None}) == {"float32": 12.0, "bfloat16": None}
    assert peak.largest({}, a) == a


def test_missing_compiler_is_one_clear_sentence(peak, monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(peak.PeakError, match=r"^peak not measured: there is no C\+\+ compiler 'no-such-compiler'"):
        peak.build(tmp_path)


def test_program_that_fails_is_one_clear_sentence(peak, program):
    with pytest.raises(peak.PeakError, match=r"peak ended with status 2: usage: peak THREADS REPETITIONS"):
        peak.measure(program, threads=0)


def test_compiler_that_fails_is_one_clear_sentence(peak, monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", "false")
    with pytest.raises(peak.PeakError, match=r"cannot compile peak\.cpp: status 1$"):
        peak.build(tmp_path)

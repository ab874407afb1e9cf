"""Counts the comparisons that were executed, for the summary and for the tests that forbid the counts to shrink."""

from __future__ import annotations

import os
from collections import Counter

import pytest

COUNTS: dict[str, Counter[str]] = {}
"""Database name -> check -> number of comparisons executed without a difference."""

FLOORS: dict[str, dict[str, int]] = {
    "op_db float32": {"operators": 677, "forward": 18_760, "backward": 14_089, "in-place": 989, "out": 7_422},
    "op_db ten dtypes": {"operators": 4_970, "forward": 28_477, "backward": 22_604, "in-place": 6_486, "out": 14_383},
    "module_db": {"cases": 456, "forward": 7_236, "state": 7_236, "backward": 7_236},
    "foreach": {"operators": 192, "forward": 944, "backward": 672, "in-place": 952},
    "optim_db": {"cases": 46, "trainings": 281},
}
"""The counts that a complete run must reach."""


def count(database: str, check: str, number: int = 1) -> None:
    """Adds `number` executed comparisons of kind `check` to `database`."""
    COUNTS.setdefault(database, Counter())[check] += number


def summary() -> list[str]:
    """One line per database that ran."""
    return [
        f"{database}: " + ", ".join(f"{check} {number:,}".replace(",", " ") for check, number in checks.items())
        for database, checks in COUNTS.items()
    ]


def assert_floor(database: str, request: pytest.FixtureRequest, cases: int) -> None:
    """Asserts that `database` executed as much as FLOORS demands.

    Args:
        database: A row of FLOORS.
        request: The calling test's; skips it unless the whole file was selected and runs in one process.
        cases: How many comparing tests the file has.
    """
    selected = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    if len(selected) < cases or "PYTEST_XDIST_WORKER" in os.environ:
        pytest.skip(f"only a part of {database} runs in this process")
    counts = COUNTS[database]
    missing = {check: (counts[check], floor) for check, floor in FLOORS[database].items() if counts[check] < floor}
    assert not missing, f"{database}: executed fewer than required (executed, required): {missing}"

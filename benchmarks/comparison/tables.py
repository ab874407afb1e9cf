"""Prints the rows of one workload; whoever has no figures gets a line with the reason."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from .results import Result

COLUMNS = (
    "min ms",
    "median",
    "p90",
    "/ eager",
    "of peak",
    "max error",
    "SQNR dB",
    "1 - cos",
    "MB",
    "/ eager",
    "native",
    "fallback",
)


def table(title: str, results: Sequence[Result]) -> Group:
    """Returns the printable form of one workload's rows."""
    grid = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    grid.add_column("alternative", no_wrap=True)
    for column in COLUMNS:
        grid.add_column(column, justify="right", no_wrap=True)
    for result in results:
        figures = _figures(result) if result.error is None else ["-"] * len(COLUMNS)
        grid.add_row(result.alternative, *figures)
    reasons = [f"  {row.alternative}: [red]{escape(row.error)}[/red]" for row in results if row.error]
    notes = [f"  {row.alternative}: {escape(row.note)}" for row in results if row.note]
    return Group(grid, *reasons, *notes)


def _figures(row: Result) -> list[str]:
    exact = row.max_error == 0
    return [
        _number(row.minimum_ms, ".2f"),
        _number(row.median_ms, ".2f"),
        _number(row.p90_ms, ".2f"),
        _number(row.ratio, ".3f"),
        _number(row.share_of_peak, ".1%"),
        _number(row.max_error, ".1e"),
        "exact" if exact else _number(row.sqnr_db, ".0f"),
        _number(None if row.cosine is None else max(0.0, 1 - row.cosine), ".0e"),
        _number(row.memory_mb, ".0f"),
        _number(row.memory_ratio, ".2f"),
        _number(row.native_calls, "d"),
        _number(row.fallback_calls, "d"),
    ]


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)

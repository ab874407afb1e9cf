"""Prints benchmark results as tables and turns kept or missed limits into an exit status."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from harness import Limit, Timing, machine, write_json_lines

# Wide enough for the tables also when the output goes to a file.
console = Console(width=None if Console().is_terminal else 120)


def argument_parser(description: str) -> argparse.ArgumentParser:
    """Returns a parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--check", action="store_true", help="exit with status 1 when a limit is missed")
    parser.add_argument("--json", metavar="FILE", help="append the results to FILE, one JSON object a line")
    parser.add_argument("--repetitions", type=int, default=3, help="whole runs; the best of them counts (default: 3)")
    return parser


def best(runs: Sequence[Sequence[Timing]]) -> list[Timing]:
    """Returns, for every case, the run with the smallest median: the quietest moment of the machine."""
    return [min(same, key=lambda timing: timing.median) for same in zip(*runs, strict=True)]


def print_machine() -> None:
    """Prints one line about the machine and the software."""
    console.print("  ".join(f"{key} [bold]{value}[/bold]" for key, value in machine().items()))


def print_limits(limits: Sequence[Limit]) -> None:
    """Prints the figures that have an accepted value."""
    table = Table("figure", "value", "accepted", "", title="limits")
    for limit in limits:
        verdict = "[green]kept[/green]" if limit.kept else "[red]MISSED[/red]"
        table.add_row(
            limit.name, f"{limit.value:.3f} {limit.unit}", f"at most {limit.accepted:g} {limit.unit}", verdict
        )
    console.print(table)


def finish(options: argparse.Namespace, benchmark: str, timings: Sequence[Timing], limits: Sequence[Limit]) -> int:
    """Prints the limits, writes JSON lines if asked to, and returns the exit status."""
    print_limits(limits)
    if options.json:
        write_json_lines(options.json, benchmark, [*timings, *limits])
    return 1 if options.check and not all(limit.kept for limit in limits) else 0

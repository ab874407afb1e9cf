"""Measures alternatives against each other: interleaved blocks in one process, minimum, median and 90th percentile.

Times drift with the machine, so two figures may be compared only if they come from the same run. `measure` therefore times
one short block of every case, then the next block of every case, and so on. The minimum is the figure to compare
(what the code costs); the median and the 90th percentile show how quiet the machine was.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True)
class Case:
    """One alternative.

    Attributes:
        name: how it is called in tables and JSON lines.
        run: what is timed; takes no arguments.
    """

    name: str
    run: Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Times of one case in the unit of its samples; those of `measure` are microseconds per call, each the mean of a block."""

    name: str
    minimum: float
    median: float
    p90: float
    calls: int

    @staticmethod
    def of(name: str, samples: Sequence[float], calls: int) -> Timing:
        """Summarises samples, one time per call or per block of calls."""
        ordered = sorted(samples)
        p90 = ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))]
        return Timing(name, ordered[0], statistics.median(ordered), p90, calls)


@dataclass(frozen=True)
class Limit:
    """One figure with what it must not exceed.

    Attributes:
        name: what was measured.
        value: the figure.
        accepted: the largest accepted value.
        unit: unit of both.
    """

    name: str
    value: float
    accepted: float
    unit: str

    @property
    def kept(self) -> bool:
        """Returns whether the figure is within its limit."""
        return self.value <= self.accepted


def measure(cases: Sequence[Case], blocks: int = 60, block_seconds: float = 0.004) -> list[Timing]:
    """Times all cases, interleaved.

    Args:
        cases: the alternatives, two or more for a comparison.
        blocks: how many blocks of each case.
        block_seconds: how long a block should take, in seconds; its number of calls is chosen once per case.

    Returns:
        One timing per case, in the order given.
    """
    sizes = [_calls_per_block(case.run, block_seconds) for case in cases]
    samples: list[list[float]] = [[] for _ in cases]
    for _ in range(blocks):
        for case, size, collected in zip(cases, sizes, samples, strict=True):
            collected.append(_block(case.run, size) / size * 1e6)
    return [
        Timing.of(case.name, collected, blocks * size)
        for case, size, collected in zip(cases, sizes, samples, strict=True)
    ]


def _block(run: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return time.perf_counter() - start


def _calls_per_block(run: Callable[[], object], seconds: float) -> int:
    """Doubles the number of calls until a block takes long enough; warms the case up on the way."""
    _block(run, 3)
    calls = 1
    while calls < 1 << 20 and _block(run, calls) < seconds:
        calls *= 2
    return calls


def machine() -> dict[str, str | int]:
    """Returns what a reader needs to know about the machine and the software to place a figure."""
    import torch

    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "isa": torch.backends.cpu.get_cpu_capability(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def write_json_lines(path: str, benchmark: str, rows: Sequence[DataclassInstance]) -> None:
    """Appends one JSON object per row, a dataclass, to a file, each with the benchmark's name and the machine."""
    context = {"benchmark": benchmark, "time": time.strftime("%Y-%m-%dT%H:%M:%S"), **machine()}
    with open(path, "a", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps({**context, "kind": type(row).__name__.lower(), **asdict(row)}) + "\n")

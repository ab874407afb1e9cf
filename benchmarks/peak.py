"""How many operations per second the cores can do: what a model's time is a share of.

Usage: python benchmarks/peak.py [THREADS]
Compiles peak.cpp with the system's compiler. The figure drifts with the machine like every other, so a benchmark takes it
again and again between its own blocks and keeps the largest.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".cpp")
BUILD = Path(__file__).resolve().parents[1] / "build" / "benchmarks"
REPETITIONS = 100

# 10^9 operations per second by data type: float32, bfloat16, int8; None where the processor has no instruction for it.
Rates = dict[str, float | None]


class PeakError(Exception):
    """There is no figure; the text says why in one line."""


def build(folder: Path = BUILD) -> Path:
    """Returns the compiled program; compiles it when the source is newer.

    Raises:
        PeakError: there is no compiler, or it fails.
    """
    program = folder / "peak"
    if program.exists() and program.stat().st_mtime >= SOURCE.stat().st_mtime:
        return program
    name = os.environ.get("CXX", "g++")
    compiler = shutil.which(name)
    if compiler is None:
        raise PeakError(f"peak not measured: there is no C++ compiler {name!r}; set CXX to name another")
    folder.mkdir(parents=True, exist_ok=True)
    command = [compiler, "-O3", "-std=c++20", "-pthread", str(SOURCE), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        reason = next((line for line in done.stderr.splitlines() if "error" in line), f"status {done.returncode}")
        raise PeakError(f"peak not measured: {compiler} cannot compile {SOURCE.name}: {reason}")
    return program


def measure(program: Path, threads: int, repetitions: int = REPETITIONS) -> Rates:
    """Returns the rates of this moment; takes about a millisecond per repetition and data type.

    Raises:
        PeakError: the program failed.
    """
    done = subprocess.run([program, str(threads), str(repetitions)], capture_output=True, text=True)
    if done.returncode != 0:
        raise PeakError(f"peak not measured: {program.name} ended with status {done.returncode}: {done.stderr.strip()}")
    rates: Rates = json.loads(done.stdout)
    return rates


def largest(a: Rates, b: Rates) -> Rates:
    """Returns the larger rate of each data type; either side may lack some."""
    both = {name: [rate for rate in (a.get(name), b.get(name)) if rate is not None] for name in {**a, **b}}
    return {name: max(rates, default=None) for name, rates in both.items()}


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else len(os.sched_getaffinity(0))
    print(json.dumps(measure(build(), wanted)))

"""What the installed but unused package costs a CPU-only program: import time, operator and backward time.

Usage: python benchmarks/unused_import.py [--check] [--json FILE] [--repetitions N]
Fresh processes take turns: one in which `import torch` finds the package, one in which TORCH_DEVICE_BACKEND_AUTOLOAD=0
makes PyTorch ignore it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from rich.progress import track
from rich.table import Table

from harness import Limit, Timing
from report import argument_parser, console, finish, print_machine

# Accepted by the project: seconds of `import torch`. A CPU-only program must time as without the package: 10 percent is
# what two groups of processes without it differ by on a virtual machine.
IMPORT_LIMIT = 0.15
PROGRAM_LIMIT = 1.10
PROCESSES = 6  # of each kind, per repetition

PROGRAM = """
import time
start = time.perf_counter()
import torch
imported = time.perf_counter() - start
import json
torch.set_num_threads(1)

def best(run, calls, blocks=25):
    times = []
    for _ in range(blocks):
        start = time.perf_counter()
        for _ in range(calls):
            run()
        times.append((time.perf_counter() - start) / calls)
    return min(times)

a = torch.ones(1)
p = torch.ones(4, requires_grad=True)
q = torch.ones(4, requires_grad=True)
print(json.dumps({
    "import torch": imported,
    "add of one element": best(lambda: a + a, 1000),
    "tiny forward + backward": best(lambda: (p * q).sum().backward(), 100),
}))
"""
AUTOLOAD = {"without": "0", "with": "1"}


def run_program(autoload: str) -> dict[str, float]:
    """Runs the CPU-only program in a process of its own; returns its times in seconds."""
    environment = {**os.environ, "TORCH_DEVICE_BACKEND_AUTOLOAD": autoload}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True, cwd="/"
    )
    times: dict[str, float] = json.loads(done.stdout)
    return times


def main() -> int:
    """Runs the benchmark; returns the exit status."""
    options = argument_parser("Price of the installed but unused package.").parse_args()
    print_machine()
    for autoload in AUTOLOAD.values():  # files into the page cache, byte code compiled
        run_program(autoload)
    samples: dict[tuple[str, str], list[float]] = {}
    rounds = PROCESSES * options.repetitions
    for _ in track(range(rounds), "starting processes", console=console, transient=True):
        for kind, autoload in AUTOLOAD.items():
            for name, seconds in run_program(autoload).items():
                samples.setdefault((name, kind), []).append(seconds * 1e6)
    timings = {key: Timing.of(f"{key[0]} [{key[1]}]", values, rounds) for key, values in samples.items()}

    table = Table(
        "measured", "package", "minimum", "median", "p90", title=f"microseconds, {rounds} processes of each kind"
    )
    for (name, kind), timing in timings.items():
        table.add_row(name, kind, *(f"{time:,.2f}" for time in (timing.minimum, timing.median, timing.p90)))
    console.print(table)

    names = list(dict.fromkeys(name for name, _ in timings))
    limits = []
    for name in names:
        with_, without = timings[name, "with"], timings[name, "without"]
        if name == "import torch":
            limits.append(Limit(f"{name}, more", (with_.minimum - without.minimum) / 1e6, IMPORT_LIMIT, "s"))
        else:
            limits.append(Limit(f"{name}, times", with_.minimum / without.minimum, PROGRAM_LIMIT, "x"))
    return finish(options, "unused_import", list(timings.values()), limits)


if __name__ == "__main__":
    sys.exit(main())

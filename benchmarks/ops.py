"""Native kernels against stock PyTorch, one row of tests/ops/rows/ at a time.

Usage: python benchmarks/ops.py [--json FILE] [--repetitions N] [--threads N] [NAME ...]
Every row gives its shapes. ipex and CPU take turns in blocks of a few milliseconds; of several whole runs the quietest
counts. Rows that oneDNN has no kernel for on this machine are left out. The last line is what a call costs when there is
next to nothing to compute, for the overhead of dispatch, primitive cache and oneDNN.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from rich.table import Table

import torch_ipex_device
from harness import Case, Timing, measure
from report import argument_parser, best, console, finish, print_machine

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from ops.calls import contiguous, has_kernel, split
from ops.rows import ROWS, Row, Shape
from torch_ipex_device.testing.transfer import Transfer


def cases(row: Row, shape: Shape, label: str) -> list[Case]:
    """Returns the call on CPU and the same call on ipex."""
    arguments = next(iter(row.native.values()))(contiguous(), shape)

    def case(device: str, moved: tuple[Any, ...]) -> Case:
        positional, keywords = split(moved)
        return Case(f"{label} [{device}]", lambda: row.call(*positional, **keywords))

    return [case("cpu", arguments), case("ipex", Transfer(torch_ipex_device.DEVICE)(arguments))]


def main() -> int:
    """Runs the benchmark; returns the exit status."""
    parser = argument_parser("Native ipex kernels against stock PyTorch on CPU.")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads (default: all)")
    parser.add_argument("names", nargs="*", metavar="NAME", help="operators, such as gelu (default: all)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print_machine()
    rows = [row for row in ROWS if has_kernel(row) and (not options.names or row.name in options.names)]
    left_out = [row.name for row in ROWS if not has_kernel(row)]
    console.print(
        f"oneDNN instruction set {torch_ipex_device._C.cpu_isa()}; no kernel for: {', '.join(left_out) or '-'}"
    )
    work = [(row, shape) for row in rows for shape in (*row.benchmark, (2, 8))]
    table = Table(
        "operator", "shape", "cpu min", "cpu median", "ipex min", "ipex median", "ratio", title="microseconds"
    )
    timings: list[Timing] = []
    with torch.ipex.fallback_policy("error"), torch.no_grad():
        for row, shape in track(work, "measuring", console=console, transient=True):
            pair = cases(row, shape, f"{row.name} {'x'.join(map(str, shape))}")
            cpu, ipex = best([measure(pair, blocks=30) for _ in range(options.repetitions)])
            timings += [cpu, ipex]
            times = (f"{time:.1f}" for time in (cpu.minimum, cpu.median, ipex.minimum, ipex.median))
            table.add_row(row.name, "x".join(map(str, shape)), *times, f"{ipex.minimum / cpu.minimum:.2f}")
    console.print(table)
    return finish(options, "ops", timings, [])


if __name__ == "__main__":
    sys.exit(main())

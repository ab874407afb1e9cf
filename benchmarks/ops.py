"""Native kernels against stock PyTorch, one row of tests/ops/rows/ at a time.

Usage: python benchmarks/ops.py [--json FILE] [--repetitions N] [--threads N] [--all] [NAME ...]
Every row gives its shapes and ways of calling; of more than three dimensions both sides get channels-last tensors, as
between native kernels. ipex and CPU take turns in blocks of a few milliseconds; of several whole runs the quietest
counts. Rows that oneDNN has no kernel for on this machine are left out. The smallest shape is there for what a call
costs when there is next to nothing to compute: dispatch, primitive cache and oneDNN.
"""

from __future__ import annotations

import math
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
from ops.row import Arguments, Row, Shape
from ops.rows import ROWS
from torch_ipex_device.testing.transfer import Transfer


def channels_last(value: Any) -> Any:
    """Returns nested arguments with dense tensors of four and five dimensions in channels-last order."""
    if isinstance(value, torch.Tensor):
        if value.dim() not in (4, 5) or not value.is_contiguous():
            return value
        return value.contiguous(memory_format=torch.channels_last if value.dim() == 4 else torch.channels_last_3d)
    return type(value)(map(channels_last, value)) if isinstance(value, (tuple, list)) else value


def cases(row: Row, make_arguments: Arguments, shape: Shape, label: str) -> list[Case]:
    """Returns the call on CPU and the same call on ipex."""
    arguments = channels_last(make_arguments(contiguous(), shape))

    def case(device: str, moved: tuple[Any, ...]) -> Case:
        positional, keywords = split(moved)
        return Case(f"{label} [{device}]", lambda: row.call(*positional, **keywords))

    return [case("cpu", arguments), case("ipex", Transfer(torch_ipex_device.DEVICE)(arguments))]


def shapes(row: Row) -> list[Shape]:
    """Returns shapes from real models, and the smallest of the tests'."""
    return [*row.benchmark, min(row.shapes, key=math.prod)]


def ways(row: Row, every: bool) -> list[str]:
    """Returns the names of the arguments to measure."""
    return list(row.native) if every else list(row.native)[:1]


def main() -> int:
    """Runs the benchmark; returns the exit status."""
    parser = argument_parser("Native ipex kernels against stock PyTorch on CPU.")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads (default: all)")
    parser.add_argument("--all", action="store_true", help="every way of calling (default: the first of each operator)")
    parser.add_argument("names", nargs="*", metavar="NAME", help="operators, such as gelu (default: all)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print_machine()
    rows = [row for row in ROWS if has_kernel(row) and (not options.names or row.name in options.names)]
    left_out = [row.name for row in ROWS if not has_kernel(row)]
    console.print(
        f"oneDNN instruction set {torch_ipex_device._C.cpu_isa()}; no kernel for: {', '.join(left_out) or '-'}"
    )
    work = [(row, name, shape) for row in rows for name in ways(row, options.all) for shape in shapes(row)]
    columns = ("operator", "arguments", "shape", "cpu min", "cpu median", "ipex min", "ipex median", "ratio")
    table = Table(*columns, title="microseconds, the slowest first")
    timings: list[Timing] = []
    lines: list[tuple[float, tuple[str, ...]]] = []
    with torch.ipex.fallback_policy("error"), torch.no_grad():
        for row, name, shape in track(work, "measuring", console=console, transient=True):
            size = "x".join(map(str, shape))
            pair = cases(row, row.native[name], shape, f"{row.name} {name} {size}")
            cpu, ipex = best([measure(pair, blocks=30) for _ in range(options.repetitions)])
            timings += [cpu, ipex]
            times = (f"{time:.1f}" for time in (cpu.minimum, cpu.median, ipex.minimum, ipex.median))
            ratio = ipex.minimum / cpu.minimum
            lines.append((ratio, (row.name, name, size, *times, f"{ratio:.2f}")))
    for _, line in sorted(lines, reverse=True):
        table.add_row(*line)
    console.print(table)
    return finish(options, "ops", timings, [])


if __name__ == "__main__":
    sys.exit(main())

"""What a call costs on ipex beyond the same call on CPU: fallback, views, copies, item, a tiny forward and backward.

Usage: python benchmarks/fallback_overhead.py [--check] [--json FILE] [--repetitions N]
Every case runs on tensors of one or a few elements, so the figures are the price of the call itself. CPU and ipex take
turns in blocks of a few milliseconds; of several whole runs the quietest counts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch
from rich.progress import track
from rich.table import Table

import torch_ipex_device
from harness import Case, Limit, Timing, measure
from report import argument_parser, best, console, finish, print_machine

# Accepted by the project: microseconds beyond CPU for an operator without a kernel of ours (hypot) and for a native one
# (add), times CPU for a tiny forward and backward. View operators must cost the same; 0.1 microseconds is what two runs
# of the same CPU case differ by on a virtual machine.
FALLBACK_LIMIT = 0.7
NATIVE_LIMIT = 0.2
BACKWARD_LIMIT = 1.5
VIEW_LIMIT = 0.1
VIEWS = ("view", "transpose", "select", "slice")


def workloads(device: str) -> dict[str, Callable[[], object]]:
    """Returns the timed calls by name, on tensors of one device."""
    a, b = torch.ones(1, device=device), torch.ones(1, device=device)
    square = torch.ones(2, 2, device=device)
    p = torch.ones(4, device=device, requires_grad=True)
    q = torch.ones(4, device=device, requires_grad=True)

    def forward_backward() -> None:
        (p * q).sum().backward()

    def add_inference() -> torch.Tensor:
        with torch.inference_mode():
            return a + b

    return {
        "hypot": lambda: torch.hypot(a, b),
        "hypot out=": lambda: torch.hypot(a, b, out=b),
        "add": lambda: torch.add(a, b),
        "add_": lambda: a.add_(0),
        "add out=": lambda: torch.add(a, b, out=b),
        "add, inference_mode": add_inference,
        "sum": lambda: torch.sum(square),
        "mm 2x2": lambda: torch.mm(square, square),
        "cat": lambda: torch.cat((a, b)),
        "copy_": lambda: a.copy_(b),
        "item": a.item,
        "empty": lambda: torch.empty(1, device=device),
        "view": lambda: square.view(4),
        "transpose": square.t,
        "select": lambda: square.select(0, 0),
        "slice": lambda: square[:1],
        "forward + backward": forward_backward,
    }


def overhead(pairs: dict[str, tuple[Timing, Timing]], name: str) -> float:
    """Returns how much longer a call takes on ipex, in microseconds, at its minimum."""
    cpu, ipex = pairs[name]
    return ipex.minimum - cpu.minimum


def main() -> int:
    """Runs the benchmark; returns the exit status."""
    options = argument_parser("Price of a call on ipex beyond the same call on CPU.").parse_args()
    torch.set_num_threads(1)
    print_machine()
    policy = torch_ipex_device._C.fallback_policy()
    torch_ipex_device._C.set_fallback_policy("silent")
    by_device = {"cpu": workloads("cpu"), "ipex": workloads(torch_ipex_device.DEVICE)}
    timings: list[Timing] = []
    pairs: dict[str, tuple[Timing, Timing]] = {}
    for name in track(list(by_device["cpu"]), "measuring", console=console, transient=True):
        cases = [Case(f"{name} [{device}]", calls[name]) for device, calls in by_device.items()]
        cpu, ipex = best([measure(cases) for _ in range(options.repetitions)])
        pairs[name] = (cpu, ipex)
        timings += [cpu, ipex]
    torch_ipex_device._C.set_fallback_policy(policy)

    table = Table(
        "call", "cpu min", "cpu median", "ipex min", "ipex median", "difference", "ratio", title="microseconds"
    )
    for name, (cpu, ipex) in pairs.items():
        times = (cpu.minimum, cpu.median, ipex.minimum, ipex.median)
        difference, ratio = overhead(pairs, name), ipex.minimum / cpu.minimum
        table.add_row(name, *(f"{time:.2f}" for time in times), f"{difference:+.2f}", f"{ratio:.2f}")
    console.print(table)
    cpu, ipex = pairs["forward + backward"]
    limits = [
        Limit("hypot of one element (fallback), beyond CPU", overhead(pairs, "hypot"), FALLBACK_LIMIT, "us"),
        Limit("add of one element (native), beyond CPU", overhead(pairs, "add"), NATIVE_LIMIT, "us"),
        Limit("tiny forward + backward, times CPU", ipex.minimum / cpu.minimum, BACKWARD_LIMIT, "x"),
        *(Limit(f"{name} (a view operator), beyond CPU", overhead(pairs, name), VIEW_LIMIT, "us") for name in VIEWS),
    ]
    return finish(options, "fallback_overhead", timings, limits)


if __name__ == "__main__":
    sys.exit(main())

"""Runs ResNet-50 and a BERT-base-sized transformer encoder on ipex next to stock CPU and prints agreement and speed.

Usage: python examples/demo.py [--batch N] [--iterations N] [--json FILE]
Weights and inputs are random but reproducible. Both sides run float32 in eager mode, in turns, in one process; times are
the minimum of all iterations. The exit status is 1 when the results do not agree.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from torch import nn

import torch_ipex_device as ipex
from torch_ipex_device.testing.torchvision_support import import_torchvision

# Signal-to-quantisation-noise ratio that two correct float32 runs of these models exceed by far; one wrong layer does not.
SQNR_LIMIT_DB = 80.0


@dataclass(frozen=True)
class Result:
    """One row of the table: agreement, time per forward in milliseconds, calls per forward."""

    model: str
    batch: int
    max_difference: float
    cosine: float
    sqnr_db: float
    stock_ms: float
    ipex_ms: float
    native_calls: int
    fallback_calls: int

    @property
    def agrees(self) -> bool:
        """Returns whether both sides computed the same, but for rounding."""
        return self.sqnr_db >= SQNR_LIMIT_DB


def resnet50(batch: int) -> tuple[nn.Module, torch.Tensor]:
    """Returns torchvision's ResNet-50 in eval mode and a batch of images."""
    model = import_torchvision().models.resnet50(weights=None)
    images = torch.randn(batch, 3, 224, 224)
    # One training forward gives batch norm statistics that fit the random weights; without, activations grow per layer.
    with torch.no_grad():
        model(torch.randn(4, 3, 224, 224))
    return model.eval(), images


def bert_base_encoder(batch: int) -> tuple[nn.Module, torch.Tensor]:
    """Returns an encoder of BERT-base size (12 layers, width 768, 12 heads) in eval mode and embedded sequences of 128."""
    # Operator by operator, as in training and as models on the hub are written, not the one fused operator per layer.
    torch.backends.mha.set_fastpath_enabled(False)
    layer = nn.TransformerEncoderLayer(768, 12, 3072, activation="gelu", batch_first=True)
    model = nn.TransformerEncoder(layer, num_layers=12, enable_nested_tensor=False)
    return model.eval(), torch.randn(batch, 128, 768)


MODELS: dict[str, Callable[[int], tuple[nn.Module, torch.Tensor]]] = {
    "ResNet-50": resnet50,
    "BERT-base encoder": bert_base_encoder,
}


def compare(actual: torch.Tensor, expected: torch.Tensor) -> tuple[float, float, float]:
    """Returns the largest absolute difference, the cosine of the angle, and the SQNR in dB."""
    a, e = actual.double().flatten(), expected.double().flatten()
    noise = float((a - e).square().sum())
    sqnr = math.inf if noise == 0 else 10 * math.log10(float(e.square().sum()) / noise)
    return float((a - e).abs().max()), float(torch.dot(a, e) / (a.norm() * e.norm())), sqnr


def milliseconds(run: Callable[[], object]) -> float:
    """Returns how long one call takes."""
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1e3


def calls(run: Callable[[], object]) -> tuple[int, int]:
    """Returns how many operator calls of one run were native and how many took the CPU fallback."""
    ipex._C.reset_operator_stats()
    run()
    rows = ipex._C.operator_stats().values()
    return sum(native for native, _ in rows), sum(fallback for _, fallback in rows)


@torch.inference_mode()
def run_model(name: str, batch: int, iterations: int, advance: Callable[[str], None]) -> Result:
    """Runs one model on both sides; `advance` is told about every finished step."""
    torch.manual_seed(0)
    advance(f"{name}: building")
    stock, stock_input = MODELS[name](batch)
    ours, our_input = copy.deepcopy(stock).to(ipex.DEVICE), stock_input.to(ipex.DEVICE)

    def run_ours() -> torch.Tensor:
        result: torch.Tensor = ours(our_input)
        torch.accelerator.synchronize()
        return result

    advance(f"{name}: comparing")
    difference, cosine, sqnr = compare(run_ours().cpu(), stock(stock_input))
    native, fallback = calls(run_ours)
    stock_ms, ipex_ms = math.inf, math.inf
    for _ in range(iterations):
        stock_ms = min(stock_ms, milliseconds(lambda: stock(stock_input)))
        ipex_ms = min(ipex_ms, milliseconds(run_ours))
        advance(f"{name}: measuring")
    return Result(name, batch, difference, cosine, sqnr, stock_ms, ipex_ms, native, fallback)


def table(results: list[Result]) -> Table:
    """Returns the printable form of the results."""
    columns = (
        "model",
        "batch",
        "max |diff|",
        "cosine",
        "SQNR",
        "agrees",
        "stock ms",
        "ipex ms",
        "speed",
        "native",
        "fallback",
    )
    printable = Table(title=f"float32, eager, {torch.get_num_threads()} threads, {ipex._C.cpu_isa()}")
    for column in columns:
        printable.add_column(column, justify="left" if column == "model" else "right")
    for row in results:
        printable.add_row(
            row.model,
            str(row.batch),
            f"{row.max_difference:.1e}",
            f"{row.cosine:.7f}",
            f"{row.sqnr_db:.0f} dB",
            "[green]yes[/green]" if row.agrees else "[red]NO[/red]",
            f"{row.stock_ms:.1f}",
            f"{row.ipex_ms:.1f}",
            f"{row.stock_ms / row.ipex_ms:.2f}x",
            str(row.native_calls),
            str(row.fallback_calls),
        )
    return printable


def main() -> int:
    """Runs the demo; returns the exit status."""
    parser = argparse.ArgumentParser(description="ResNet-50 and a transformer encoder on ipex next to stock CPU.")
    parser.add_argument("--batch", type=int, default=1, help="batch size (default: 1)")
    parser.add_argument("--iterations", type=int, default=20, help="timed forwards of each side (default: 20)")
    parser.add_argument("--json", metavar="FILE", help="also write the results to FILE")
    options = parser.parse_args()
    if options.batch < 1 or options.iterations < 1:
        parser.error("--batch and --iterations must be at least 1")

    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=132)
    bar = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    results = []
    with Progress(*bar, console=console, transient=True) as progress:
        task = progress.add_task("starting", total=len(MODELS) * (options.iterations + 2))
        for name in MODELS:
            if not console.is_terminal:
                console.print(f"running {name} ...")
            results.append(
                run_model(
                    name,
                    options.batch,
                    options.iterations,
                    lambda text: progress.update(task, advance=1, description=text),
                )
            )
    console.print(table(results))
    console.print(
        "speed: stock ms / ipex ms, minimum of interleaved runs. Fallback calls run PyTorch's CPU kernel on the\n"
        "same memory, without a copy; torch.ipex.fallback_stats() names them."
    )
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump([{**asdict(row), "agrees": row.agrees} for row in results], file, indent=2)
    if not all(row.agrees for row in results):
        console.print(f"[red]results do not agree: SQNR below {SQNR_LIMIT_DB:.0f} dB[/red]")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

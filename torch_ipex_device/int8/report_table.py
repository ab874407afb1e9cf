"""A report as text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .report_measure import PRECISIONS

if TYPE_CHECKING:
    from .report import Report
    from .report_latency import Latency
    from .report_layer import Layer

_HEADER = (
    "id",
    "name",
    "module",
    "int8",
    "SQNR dB",
    "own dB",
    "sat. in",
    "sat. out",
    "float32 ms",
    "bfloat16 ms",
    "int8 ms",
    "remark",
)
_LEFT = ("name", "module", "int8", "remark")


def table(report: Report) -> str:
    """Returns a line for each entry, and totals.

    "in 3" as a time says that the operator ran inside of the primitive of entry 3.
    """
    lines = [_HEADER, *(_cells(layer) for layer in report.layers)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(
            cell.ljust(width) if name in _LEFT else cell.rjust(width)
            for name, cell, width in zip(_HEADER, line, widths, strict=True)
        ).rstrip()
        for line in lines
    ]
    count, plural = sum(layer.quantized for layer in report.layers), "" if report.inputs == 1 else "s"
    quantized = f"{count} of {len(report.layers)} entries are to compute in int8"
    ratio = f"SQNR of the result {decibel(report.sqnr_db)} dB, {report.inputs} input{plural}"
    times = ", ".join(f"{getattr(report, name):.3f} ms in {name}" for name in PRECISIONS)
    return "\n".join([*text, f"{quantized}; {ratio}", f"a forward: {times}"])


def decibel(value: float | None) -> str:
    """Returns a ratio as text, "-" for none."""
    return "-" if value is None else "inf" if value == math.inf else f"{value:.1f}"


def _cells(layer: Layer) -> tuple[str, ...]:
    return (
        str(layer.id),
        layer.name,
        "-" if layer.module is None else layer.module or "(outermost)",
        "yes" if layer.quantized and not layer.reason else "no",
        decibel(layer.sqnr_db),
        decibel(layer.own_sqnr_db),
        _share(max(layer.input_saturation, default=None)),
        _share(layer.output_saturation),
        *(_time(latency) for latency in (layer.float32, layer.bfloat16, layer.int8)),
        layer.reason,
    )


def _share(value: float | None) -> str:
    if value is None or value == 0:
        return "-" if value is None else "0"
    return "<0.01%" if value < 1e-4 else f"{value:.2%}"


def _time(latency: Latency | None) -> str:
    if latency is None:
        return "-"
    return f"{latency.milliseconds:.3f}" if latency.inside is None else f"in {latency.inside}"

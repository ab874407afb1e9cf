"""A report as a picture, drawn by matplotlib."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

from torch_ipex_device.core.errors import error

if TYPE_CHECKING:
    from .report import Report

FORMATS = (".png", ".svg", ".pdf")
"""Endings of files that can be drawn."""

_WIDTH, _ROW, _MARGIN, _HIGHEST = 12.0, 0.28, 1.6, 200.0  # inches
_COLORS = {"float32": "#9aa5b1", "bfloat16": "#5b8fd6", "int8": "#d9822b"}
_ALONE, _ALL = "#5b8fd6", "#b03a48"


def draw(report: Report, path: str | os.PathLike[str]) -> None:
    """Draws a row for each entry: its SQNR on the left, its latencies on the right, where they are its own.

    Args:
        report: what to draw.
        path: the file; its ending is one of `FORMATS`.

    Raises:
        ImportError: matplotlib is not installed.
        TypeError: E101, no path.
        ValueError: E103, another format.
        OSError: the file cannot be written.
    """
    where = "int8.Report.picture"
    if not isinstance(path, (str, os.PathLike)):
        raise error("E101", where, f"got {type(path).__name__} as path; accepted: a path")
    if Path(path).suffix.lower() not in FORMATS:
        raise error("E103", where, f"got {os.fspath(path)}; accepted: a file that ends in {', '.join(FORMATS)}")
    try:
        from matplotlib.figure import Figure  # without pyplot: no window, no global state
    except ImportError as missing:
        raise ImportError(
            f"[{where}] matplotlib is not installed; run: pip install matplotlib, or pip install torch-ipex-device[int8]",
            name=missing.name,
        ) from None
    count = len(report.layers)
    places = list(range(count))
    figure = Figure(figsize=(_WIDTH, min(_HIGHEST, _MARGIN + _ROW * count)), layout="constrained")
    noise, time = figure.subplots(1, 2, sharey=True)
    labels = [f"{layer.id}  {layer.name}  {layer.module or ''}".rstrip() for layer in report.layers]
    noise.set_yticks(places, labels, fontsize=7)
    noise.set_ylim(count - 0.5, -0.5)  # the first entry on top
    noise.barh(places, [_finite(layer.own_sqnr_db) for layer in report.layers], color=_ALONE, label="alone in int8")
    noise.plot(
        [_finite(layer.sqnr_db) for layer in report.layers], places, ".-", color=_ALL, label="with all before it"
    )
    noise.set_xlabel("SQNR, dB (higher is better)")
    noise.legend(fontsize=8)
    thickness = 0.8 / len(_COLORS)
    for number, (precision, color) in enumerate(_COLORS.items()):
        times = [getattr(layer, precision) for layer in report.layers]
        widths = [latency.milliseconds if latency and latency.inside is None else 0.0 for latency in times]
        offset = (number - 1) * thickness
        total = getattr(report, precision)
        time.barh(
            [place + offset for place in places],
            widths,
            thickness,
            color=color,
            label=f"{precision}, {total:.2f} in all",
        )
    time.set_xlabel("ms; nothing: in the primitive of an operator above")
    time.legend(fontsize=8)
    figure.savefig(path)


def _finite(value: float | None) -> float:
    """A ratio for a plot, which leaves out what is not a number."""
    return value if value is not None and math.isfinite(value) else math.nan

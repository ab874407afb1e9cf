"""Draws how long each alternative takes relative to stock eager PyTorch: one group of bars per model.

Usage: python benchmarks/plot.py RESULTS.jsonl FILE.png
RESULTS.jsonl is what `compare.py --json` wrote; of rows for the same case the last counts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import fields

from comparison.results import Result
from models import MODELS

# Distinguishable also by the colour-blind (Okabe and Ito); the same alternative has the same colour in every plot.
COLOURS = {
    "ipex": "#D55E00",
    "eager": "#999999",
    "eager-cl": "#555555",
    "inductor": "#0072B2",
    "zentorch": "#009E73",
    "openvino": "#CC79A7",
    "onnxruntime": "#E69F00",
}
Panel = tuple[str, str, int, int]


def draw(results: Sequence[Result], file: str) -> None:
    """Writes the plot; batches, threads, modes and dtypes have a panel each.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
        ValueError: there is nothing to draw: no row has a ratio.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels: dict[Panel, dict[tuple[str, str], Result]] = {}
    for row in results:
        panel = panels.setdefault((row.mode, row.dtype, row.batch, row.threads), {})
        panel[row.model, row.alternative] = row
    if not any(row.ratio for panel in panels.values() for row in panel.values()):
        raise ValueError("nothing to draw: no alternative could be compared with stock eager PyTorch")
    # Wide enough for the figures on neighbouring bars.
    width = max(9.0, 2.4 * len({row.model for row in results}))
    figure, axes = pyplot.subplots(len(panels), 1, figsize=(width, 0.6 + 3.6 * len(panels)), squeeze=False)
    for axis, (case, rows) in zip(axes[:, 0], panels.items(), strict=True):
        _draw_panel(axis, case, rows)
    figure.tight_layout()
    figure.savefig(file, dpi=130)
    pyplot.close(figure)


def _draw_panel(axis, panel: Panel, rows: dict[tuple[str, str], Result]) -> None:  # type: ignore[no-untyped-def]
    """Draws bars of one panel, with their ratios; an alternative without a figure leaves a cross at the bottom."""
    models = [name for name in MODELS if any(model == name for model, _ in rows)]
    names = [name for name in COLOURS if any(alternative == name for _, alternative in rows)]
    width = 0.85 / len(names)
    for place, name in enumerate(names):
        offset = (place - (len(names) - 1) / 2) * width
        cells = [rows.get((model, name)) for model in models]
        heights = [cell.ratio if cell and cell.ratio else 0.0 for cell in cells]
        positions = [index + offset for index in range(len(models))]
        bars = axis.bar(positions, heights, width * 0.92, label=name, color=COLOURS[name])
        axis.bar_label(bars, [f"{height:.2f}" if height else "×" for height in heights], fontsize=6.5, padding=1)
    mode, dtype, batch, threads = panel
    axis.set_title(f"{mode}, {dtype}, batch {batch}, threads {threads}", fontsize=10, loc="left")
    axis.axhline(1, color="#333333", linewidth=0.8, linestyle=":")
    axis.set_xticks(range(len(models)), [MODELS[model].title for model in models])
    axis.set_ylabel("time / stock eager\n(lower is faster, × no figure)")
    axis.margins(y=0.15)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(ncols=len(names), fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.1))


def read(file: str) -> list[Result]:
    """Returns the rows of a JSON lines file."""
    known = {field.name for field in fields(Result)}
    with open(file, encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Result(**{name: value for name, value in row.items() if name in known})
        for row in rows
        if row["kind"] == "result"
    ]


if __name__ == "__main__":
    draw(read(sys.argv[1]), sys.argv[2])

"""What INT8 costs and gains, layer by layer: noise, saturation, time, and why something stays in float32."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from torch_ipex_device.core.errors import error

from . import atomic, layers
from .report_layer import Layer
from .report_measure import ITEM, PRECISIONS, Inputs, Measured, times

if TYPE_CHECKING:
    from torch_ipex_device.amp.mode import AmpConf


@dataclasses.dataclass(frozen=True)
class Report:
    """What `ipex.int8.report` found.

    Attributes:
        layers: one for each entry of the recipe, in its order.
        inputs: how many inputs the figures of noise and saturation are of.
        sqnr_db: of all floating-point results of the model, in dB; None if there are none.
        float32: milliseconds of all operators of a forward in float32.
        bfloat16: the same in mixed precision with bfloat16.
        int8: the same in int8.
    """

    layers: tuple[Layer, ...]
    inputs: int
    sqnr_db: float | None
    float32: float
    bfloat16: float
    int8: float

    def table(self) -> str:
        """Returns a line for each entry, and totals."""
        from .report_table import table

        return table(self)

    def json(self) -> str:
        """Returns a JSON object with the fields named as here. Infinite and missing figures are null."""
        return json.dumps(_plain(dataclasses.asdict(self)), indent=1, allow_nan=False)

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Writes `json()` to a file, all of it or nothing.

        Raises:
            OSError: the file cannot be written.
        """
        atomic.write(path, self.json().encode())

    def picture(self, path: str | os.PathLike[str]) -> None:
        """Draws noise and latency of the layers. Needs matplotlib.

        Args:
            path: the file; its ending says the format, .png, .svg or .pdf.

        Raises:
            ImportError: matplotlib is not installed; the text names the command that installs it.
            ValueError: E103, another format.
            OSError: the file cannot be written.
        """
        from .picture import draw

        draw(self, path)


def report(model: torch.nn.Module, conf: AmpConf, data: Iterable[object], *, repeats: int = 5) -> Report:
    """Measures what INT8 does to each layer of a model. Neither model nor recipe changes.

    Runs the model on each input in int8 and in float32 while it looks at all results, and on the first input 2 + `repeats`
    times in float32, bfloat16 and int8 while it looks at nothing (`ipex.explain`).

    Args:
        model: on ipex, in evaluation mode.
        conf: `ipex.AmpConf(torch.int8)` with the recipe of the model.
        data: inputs, each of them a tensor, a tuple of arguments or a dict of keyword arguments. What is not on ipex is
            copied there.
        repeats: how many runs the latencies are the least of.

    Returns:
        Figures for each entry, in the order of the recipe.

    Raises:
        TypeError: E101, an argument of another type.
        ValueError: E103, a model that is elsewhere or trains, no data, less than one repeat, or an open `ipex.explain`.
        RuntimeError: E402, the model is not the one of the recipe. E403, the recipe is empty.

    Example:
        >>> conf = ipex.AmpConf(torch.int8, "recipe.json")
        >>> print(ipex.int8.report(model, conf, [images]).table())
    """
    where = "int8.report"
    calibration = layers.require(where, model, conf)
    if isinstance(data, (Tensor, Mapping, str, bytes)) or not isinstance(data, Iterable):
        raise error("E101", where, f"got {type(data).__name__} as data; accepted: an iterable of inputs, each {ITEM}")
    if isinstance(repeats, bool) or not isinstance(repeats, int):
        raise error("E101", where, f"got {type(repeats).__name__} as repeats; accepted: int")
    if repeats < 1:
        raise error("E103", where, f"got repeats={repeats}; accepted: 1 or more")
    measured, first = Measured(model, calibration), None
    for item in data:
        inputs = Inputs(where, item)
        measured.add(inputs)
        first = first or inputs
    if first is None:
        raise error("E103", where, "got no data; accepted: at least one input")
    if not measured.sources:
        count = len(measured.entries)
        raise error("E402", where, f"got a model that ran none of the {count} entries; accepted: that of the recipe")
    latencies, totals = times(model, measured, first, repeats)
    found = [
        measured.layer(number, [latencies[name].get(number) for name in PRECISIONS])
        for number in range(len(measured.entries))
    ]
    return Report(tuple(found), measured.inputs, measured.result.decibel, *(totals[name] for name in PRECISIONS))


def _plain(value: Any) -> Any:
    """`value` with null for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

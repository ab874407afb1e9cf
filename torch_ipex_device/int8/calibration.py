"""The state behind `AmpConf(torch.int8)`: entries with what calibration saw of them."""

from __future__ import annotations

import os
import warnings
import weakref
from collections.abc import Sequence
from typing import Any

import torch

from torch_ipex_device import _C
from torch_ipex_device.core.errors import error

from . import recipe
from .recipe import Entry
from .scales import Statistics, expected_sqnr, scale_of

MULTIPLIES = ("Convolution", "Linear")
"""Beginnings of the names of operators with an arithmetic of their own in int8."""

REASON = "reason"
"""Field of an entry that says why calibration left its operator in float32; for people."""

SELECTS = ("MaxPooling",)
"""Names of operators whose results are some of their inputs: these keep their scale."""

LEAST_SQNR = 24.0
"""In dB: what an input that is rounded to int8 has to keep, or its operator stays in float32 unless somebody says otherwise."""


class Calibration:
    """The entries of a recipe, in C++ for the operators and here for people.

    A copy, or one that was pickled, has the entries, not what calibration saw. Scales follow from statistics lazily, when somebody asks for them. Entries that were read from a file keep what people
    may edit (`algorithm`, `weight_granularity`, `quantized`, the uint8 flags).

    Args:
        path: recipe to begin with, or None.
        algorithm: of entries that calibration makes.

    Attributes:
        native: the entries in C++.
        beginnings: where the program of each module begins that was called as the outermost one.

    Raises:
        ValueError: E401, the file is no recipe.
        OSError: the file cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str] | None, algorithm: str) -> None:
        self.native = _C.Int8Recipe()
        self.beginnings: weakref.WeakKeyDictionary[torch.nn.Module, int] = weakref.WeakKeyDictionary()
        self._algorithm = algorithm
        self._entries: list[Entry] = []
        self._loaded: list[Entry] = []
        self._calibrations = 0  # of which the entries know
        if path is not None:
            self._loaded = recipe.load(path)
            self._use(self._loaded)

    def __getstate__(self) -> dict[str, Any]:
        return {"algorithm": self._algorithm, "entries": self.entries()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(None, state["algorithm"])  # type: ignore[misc]
        self._loaded = state["entries"]
        self._use(self._loaded)

    def entries(self) -> list[Entry]:
        """The entries now, with scales from everything that calibration saw."""
        calibrations = self.native.calibrations
        if calibrations != self._calibrations:
            seen = self.native.entries()
            made: list[Entry] = []
            for number, given in enumerate(seen):
                made.append(self._entry(number, given, made))
            self._use(made)
            self._calibrations = calibrations
        return self._entries

    def replace(self, entries: Sequence[Entry]) -> None:
        """Makes `entries`, edited ones of `entries()`, the recipe.

        Raises:
            ValueError: E401, an entry is not valid; the recipe stays as it is.
        """
        self._loaded = recipe.check(entries, "AmpConf")
        self._calibrations = self.native.calibrations
        self._use(self._loaded)

    def _use(self, entries: list[Entry]) -> None:
        self.native.set_entries([_native(entry) for entry in entries], bool(entries) and recipe.is_legacy(entries))
        self._entries = entries

    def _entry(self, number: int, seen: dict[str, Any], before: list[Entry]) -> Entry:
        known = self._loaded[number] if number < len(self._loaded) else None
        inputs = [Statistics(**values) for values in seen["input_statistics"]]
        outputs = [Statistics(**values) for values in seen["output_statistics"]]
        if known is not None and not any(values.updates for values in outputs):
            return known
        algorithm = known.algorithm if known else self._algorithm
        percentile = known.percentile if known else Entry.percentile
        pairs = [[scale_of(values, algorithm, percentile) for values in side] for side in (inputs, outputs)]
        if known is not None:
            flags = [known.inputs_uint8_used, known.outputs_uint8_used]
            before_scales = [known.inputs_scale, known.outputs_scale]
            pairs = [
                [
                    _continued(pair, values, flag, scale, algorithm, known)
                    for pair, values, flag, scale in zip(*each, strict=False)
                ]
                for each in zip(pairs, (inputs, outputs), flags, before_scales, strict=True)
            ]
        if seen["name"] in SELECTS:
            pairs[1] = pairs[0]
        _warn_of_odd_values(number, seen, inputs + outputs)
        reason = known.extras.get(REASON) if known else _reason_for_float(seen, inputs, outputs, pairs[0], before)
        return Entry(
            id=number,
            name=known.name if known else seen["name"],
            algorithm=algorithm,
            weight_granularity=known.weight_granularity if known else "per_channel",
            inputs_scale=[scale for scale, _ in pairs[0]],
            outputs_scale=[scale for scale, _ in pairs[1]],
            inputs_uint8_used=[uint8 for _, uint8 in pairs[0]],
            outputs_uint8_used=[uint8 for _, uint8 in pairs[1]],
            quantized=known.quantized if known else reason is None,
            version=known.version if known else 1,
            op=seen["op"] or None,
            module=seen["module"],
            weight_shape=seen["weight_shape"],
            percentile=percentile,
            extras=known.extras if known else {REASON: reason} if reason else {},
        )


def _reason_for_float(
    seen: dict[str, Any],
    inputs: list[Statistics],
    outputs: list[Statistics],
    scales: list[tuple[float, bool]],
    before: list[Entry],
) -> str | None:
    """Why an operator stays in float32 unless somebody says otherwise; None: it computes in int8.

    Convolutions and linear layers do, if int8 can hold what they read: outliers, such as those behind a transformer's gelu, leave
    few steps for the rest. The others cost memory traffic, not arithmetic: they follow what they read, so that a residual
    stream that begins in float32, such as that of a transformer, stays in float32.
    """
    if not any(values.updates for values in outputs):
        return "calibration saw no finite value"
    if seen["name"].startswith(MULTIPLIES):
        sqnr = expected_sqnr(inputs[0], *scales[0])
        return None if sqnr >= LEAST_SQNR else f"int8 would keep {sqnr:.1f} dB of its input, below {LEAST_SQNR:g}"
    follows = bool(seen["sources"]) and all(source >= 0 and before[source].quantized for source in seen["sources"])
    return None if follows else "it reads what is not computed in int8"


def _continued(
    pair: tuple[float, bool], values: Statistics, uint8: bool, scale: float, algorithm: str, entry: Entry
) -> tuple[float, bool]:
    """Scale and type of an entry of a file after more calibration: min_max keeps the larger range, and the type stays."""
    if not values.updates:
        return scale, uint8
    threshold = (255 if pair[1] else 127) / pair[0]
    if algorithm == "min_max":
        threshold = max(threshold, (255 if uint8 else 127) / scale)
    if uint8 and values.minimum < 0:
        warnings.warn(
            f"entry {entry.id} ({entry.name}) asks for uint8, and calibration saw {values.minimum:g}; negative values "
            "become 0",
            stacklevel=2,
        )
    return (255 if uint8 else 127) / threshold, uint8


def _warn_of_odd_values(number: int, seen: dict[str, Any], all_values: list[Statistics]) -> None:
    nans, infinities = (sum(getattr(values, name) for values in all_values) for name in ("nans", "infinities"))
    if nans or infinities:
        warnings.warn(
            f"calibration saw {nans} NaN and {infinities} infinities at entry {number} ({seen['name']}); scales ignore "
            "them, and in int8 NaN becomes 0",
            stacklevel=2,
        )


def _native(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "op": entry.op or "",
        "module": entry.module,
        "weight_shape": entry.weight_shape,
        "quantized": entry.quantized,
        "per_channel": entry.weight_granularity == "per_channel",
        "inputs": list(zip(entry.inputs_scale, entry.inputs_uint8_used, strict=True)),
        "outputs": list(zip(entry.outputs_scale, entry.outputs_uint8_used, strict=True)),
    }


def require_entries(calibration: Calibration) -> None:
    """Raises E403 when there is nothing to compute with."""
    if not calibration.entries():
        raise error("E403", "AutoMixPrecision", "got a conf without entries; calibrate first, or load a recipe")

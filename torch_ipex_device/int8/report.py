"""What INT8 costs and gains, layer by layer: noise, saturation, time, and why something stays in float32."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from torch_ipex_device.core.errors import error

from . import atomic, layers
from .calibration import REASON, Calibration
from .layers import Call, Noise, Trace
from .report_latency import Latency, latencies, shortest

if TYPE_CHECKING:
    from torch_ipex_device.amp.mode import AmpConf

PRECISIONS = ("float32", "bfloat16", "int8")
"""What latencies are measured in; names of fields of `Layer` and `Report`."""

_ITEM = "a tensor, a tuple of arguments or a dict of keyword arguments"


@dataclasses.dataclass(frozen=True)
class Layer:
    """One entry of the recipe.

    Attributes:
        id: position in the recipe.
        name: kind of operator, "Convolution".
        module: dotted path of the `torch.nn.Module` that called, "" for the outermost, None if not known.
        op: name of the operator in PyTorch, or None.
        quantized: what the recipe says.
        reason: why it computes in float32 all the same, or why the recipe says so; "" if it computes in int8.
        sqnr_db: signal-to-quantisation-noise ratio of its result in the int8 program, against the float32 program, in dB:
            with the noise of everything before it. Infinite without any, None if it did not run.
        own_sqnr_db: that of the operator alone in int8, its inputs being those of the float32 program. Infinite when it
            adds no noise, as what joins a convolution does; None when it is not quantized or did not run.
        input_saturation: share of the values of each input, in the float32 program, that `inputs_scale` saturates.
        output_saturation: the same of the result, with `outputs_scale`; None if it did not run.
        float32: latency in the float32 program, None if it was not seen.
        bfloat16: the same in mixed precision with bfloat16.
        int8: the same in the int8 program.
    """

    id: int
    name: str
    module: str | None
    op: str | None
    quantized: bool
    reason: str
    sqnr_db: float | None
    own_sqnr_db: float | None
    input_saturation: tuple[float, ...]
    output_saturation: float | None
    float32: Latency | None
    bfloat16: Latency | None
    int8: Latency | None


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
        raise error("E101", where, f"got {type(data).__name__} as data; accepted: an iterable of inputs, each {_ITEM}")
    if isinstance(repeats, bool) or not isinstance(repeats, int):
        raise error("E101", where, f"got {type(repeats).__name__} as repeats; accepted: int")
    if repeats < 1:
        raise error("E103", where, f"got repeats={repeats}; accepted: 1 or more")
    measured, first = _Measured(model, calibration), None
    for item in data:
        inputs = _Inputs(where, item)
        measured.add(inputs)
        first = first or inputs
    if first is None:
        raise error("E103", where, "got no data; accepted: at least one input")
    if not measured.sources:
        count = len(measured.entries)
        raise error("E402", where, f"got a model that ran none of the {count} entries; accepted: that of the recipe")
    times, totals = _times(model, measured, first, repeats)
    found = [
        measured.layer(number, [times[precision].get(number) for precision in PRECISIONS])
        for number in range(len(measured.entries))
    ]
    return Report(tuple(found), measured.inputs, measured.result.decibel, *(totals[name] for name in PRECISIONS))


class _Inputs:
    """What the model is called with.

    Raises:
        TypeError: E101.
    """

    def __init__(self, where: str, item: object) -> None:
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}
        if isinstance(item, Mapping):
            self.kwargs = dict(item)
        elif isinstance(item, (tuple, list)):
            self.args = tuple(item)
        elif isinstance(item, Tensor):
            self.args = (item,)
        else:
            raise error("E101", where, f"got {type(item).__name__} as an input; accepted: {_ITEM}")
        if not all(isinstance(name, str) for name in self.kwargs):
            raise error("E101", where, f"got a dict with the keys {list(self.kwargs)}; accepted: names of arguments")
        self.args, self.kwargs = pytree.tree_map_only(
            Tensor, lambda tensor: tensor.to("ipex"), (self.args, self.kwargs)
        )

    def fresh(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Copies, since a model may write its inputs."""
        copies: tuple[tuple[Any, ...], dict[str, Any]] = pytree.tree_map_only(
            Tensor, Tensor.clone, (self.args, self.kwargs)
        )
        return copies


class _Measured:
    """Noise and saturation, over any number of inputs.

    Attributes:
        sources: for each entry that ran, the entries that it reads, or -1.
        operators: of the last run, as `Trace` has them.
    """

    def __init__(self, model: torch.nn.Module, calibration: Calibration) -> None:
        self.model = model
        self.entries = [dataclasses.replace(entry) for entry in calibration.entries()]
        self.in_int8 = layers.copy_of(calibration, self.entries)
        self.in_float32 = layers.copy_of(
            calibration, [dataclasses.replace(entry, quantized=False) for entry in self.entries]
        )
        self.inputs = 0
        self.result = Noise()
        self.sources: dict[int, tuple[int, ...]] = {}
        self.operators: list[tuple[str, int | None]] = []
        self._noise = [Noise() for _ in self.entries]
        self._own = [Noise() for _ in self.entries]
        self._saturated: dict[
            tuple[int, int], list[int]
        ] = {}  # of an entry, and its input or -1: how many, of how many

    def add(self, inputs: _Inputs) -> None:
        """Runs the model on one input."""
        actual, result_in_int8 = self._run_int8(inputs)
        expected: dict[int, Tensor] = {}

        def see(call: Call) -> None:
            expected[call.entry] = layers.sample(call.result)
            self._see(call, expected[call.entry])

        result = self._run(self.in_float32, inputs, see)
        for number, values in expected.items():
            if number in actual:
                self._noise[number].add(values, actual[number])
        for one, other in zip(result, result_in_int8, strict=True):
            self.result.add(one, other)
        self.inputs += 1

    def layer(self, number: int, times: Sequence[Latency | None]) -> Layer:
        """The figures of an entry."""
        entry = self.entries[number]
        counts = {place: count for (of, place), count in self._saturated.items() if of == number}
        shares = {place: saturated / max(1, total) for place, (saturated, total) in sorted(counts.items())}
        return Layer(
            entry.id,
            entry.name,
            entry.module,
            entry.op,
            entry.quantized,
            self._reason(number),
            self._noise[number].decibel,
            self._own[number].decibel,
            tuple(share for place, share in shares.items() if place >= 0),
            shares.get(-1),
            *times,
        )

    def _run(self, calibration: Calibration, inputs: _Inputs, see: Callable[[Call], None]) -> list[Tensor]:
        args, kwargs = inputs.fresh()
        gradients = torch.inference_mode(False), torch.no_grad()  # operators that consist of others are seen as those
        with gradients[0], gradients[1], layers.running(calibration) as run, Trace(run, self.entries, see) as trace:
            result = self.model(*args, **kwargs)
        self.operators = trace.operators
        leaves = pytree.tree_leaves(result)
        return [layers.sample(leaf) for leaf in leaves if isinstance(leaf, Tensor) and leaf.is_floating_point()]

    def _run_int8(self, inputs: _Inputs) -> tuple[dict[int, Tensor], list[Tensor]]:
        """Results of all entries as those who read them see them, and that of the model."""
        values: dict[int, Tensor] = {}
        is_rounded: set[int] = set()

        def see(call: Call) -> None:
            is_rounded.update(
                source
                for tensor, source in zip(call.inputs, call.sources, strict=True)
                if source >= 0 and _is_held_in_int8(tensor)
            )
            values[call.entry] = layers.sample(call.result)

        result = self._run(self.in_int8, inputs, see)
        for number in is_rounded:
            entry = self.entries[number]
            values[number] = layers.rounded(values[number], entry.outputs_scale[0], entry.outputs_uint8_used[0])
        return values, result

    def _see(self, call: Call, values: Tensor) -> None:
        """A call of the float32 program."""
        entry = self.entries[call.entry]
        self._count_saturated(call.entry, -1, values, entry.outputs_scale[0], entry.outputs_uint8_used[0])
        if call.is_part:
            return
        self.sources[call.entry] = call.sources
        for index, tensor in enumerate(call.inputs):
            given = index if index < len(entry.inputs_scale) else 0
            scale, uint8 = entry.inputs_scale[given], entry.inputs_uint8_used[given]
            self._count_saturated(call.entry, index, layers.sample(tensor), scale, uint8)
        if entry.quantized:
            alone = layers.alone(self.in_int8, self.entries, call)
            self._own[call.entry].add(values, layers.sample(alone))

    def _count_saturated(self, number: int, place: int, values: Tensor, scale: float, uint8: bool) -> None:
        counts = self._saturated.setdefault((number, place), [0, 0])
        counts[0] += layers.saturated(values, scale, uint8)
        counts[1] += values.numel()

    def _reason(self, number: int) -> str:
        entry = self.entries[number]
        if number not in self.sources:
            return "the model did not run it, or as a part of another operator"
        if entry.quantized:
            computes = not layers.multiplies(entry) or not self._own[number].equal
            return "" if computes else "no int8 kernel for it, or weights that are not finite"
        if isinstance(given := entry.extras.get(REASON), str):
            return given
        sources = self.sources[number]
        if not layers.multiplies(entry) and not all(
            source >= 0 and self.entries[source].quantized for source in sources
        ):
            return "it reads what is not computed in int8"
        return "the recipe says so"


def _times(
    model: torch.nn.Module, measured: _Measured, inputs: _Inputs, repeats: int
) -> tuple[dict[str, dict[int, Latency]], dict[str, float]]:
    """Least latencies of entries, and of whole forwards, in each precision."""
    from torch_ipex_device.amp.mode import AmpConf, AutoMixPrecision  # imports this package
    from torch_ipex_device.device.explain import explain

    blocks: dict[str, Callable[[], Any]] = {
        "float32": lambda: AutoMixPrecision(AmpConf(None)),
        "bfloat16": lambda: AutoMixPrecision(AmpConf(torch.bfloat16)),
        "int8": lambda: layers.running(measured.in_int8),
    }
    runs: dict[str, list[dict[int, Latency]]] = {name: [] for name in PRECISIONS}
    totals = dict.fromkeys(PRECISIONS, math.inf)
    for number in range(repeats + 2):
        for name in PRECISIONS:
            args, kwargs = inputs.fresh()
            with torch.no_grad(), blocks[name](), explain() as explanation:
                model(*args, **kwargs)
            if number >= 2:  # the first packs weights and makes primitives
                runs[name].append(latencies(explanation, measured.operators, measured.sources))
                totals[name] = min(totals[name], sum(row.own_nanoseconds for row in explanation.rows) / 1e6)
    return {name: shortest(each) for name, each in runs.items()}, totals


def _is_held_in_int8(tensor: Tensor) -> bool:
    from torch_ipex_device.device.forms import physical_form

    return tensor.device.type == "ipex" and physical_form(tensor).dtype in ("Char", "Byte")


def _plain(value: Any) -> Any:
    """`value` with null for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

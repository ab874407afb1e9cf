"""Runs a model for its report: what its operators give in INT8 and in float32, and how long they take."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from torch_ipex_device.core.errors import error
from torch_ipex_device.device.explain import explain
from torch_ipex_device.device.forms import physical_form

from . import layers
from .calibration import REASON, Calibration
from .layers_noise import Noise, rounded, sample, saturated
from .layers_trace import Call, Trace, alone
from .report_latency import Latency, latencies, shortest
from .report_layer import Layer

PRECISIONS = ("float32", "bfloat16", "int8")
"""What latencies are measured in; names of fields of `Layer` and `Report`."""

ITEM = "a tensor, a tuple of arguments or a dict of keyword arguments"
"""What a model can be called with."""


class Inputs:
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
            raise error("E101", where, f"got {type(item).__name__} as an input; accepted: {ITEM}")
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


class Measured:
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
        # Of an entry, and the number of its input or -1 for its result: how many values saturate, and how many there are.
        self._saturated: dict[tuple[int, int], list[int]] = {}

    def add(self, inputs: Inputs) -> None:
        """Runs the model on one input."""
        actual, result_in_int8 = self._run_int8(inputs)
        expected: dict[int, Tensor] = {}

        def see(call: Call) -> None:
            expected[call.entry] = sample(call.result)
            self._see(call, expected[call.entry])

        result = self._run(self.in_float32, inputs, see)
        for number, values in expected.items():
            entry = self.entries[number]
            self._count_saturated(number, -1, values, entry.outputs_scale[0], entry.outputs_uint8_used[0])
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

    def _run(self, calibration: Calibration, inputs: Inputs, see: Callable[[Call], None]) -> list[Tensor]:
        args, kwargs = inputs.fresh()
        gradients = torch.inference_mode(False), torch.no_grad()  # operators that consist of others are seen as those
        with gradients[0], gradients[1], layers.running(calibration) as run, Trace(run, self.entries, see) as trace:
            result = self.model(*args, **kwargs)
        self.operators = trace.operators
        leaves = pytree.tree_leaves(result)
        return [sample(leaf) for leaf in leaves if isinstance(leaf, Tensor) and leaf.is_floating_point()]

    def _run_int8(self, inputs: Inputs) -> tuple[dict[int, Tensor], list[Tensor]]:
        """Results of all entries as those who read them see them, and that of the model."""
        values: dict[int, Tensor] = {}
        is_rounded: set[int] = set()

        def see(call: Call) -> None:
            is_rounded.update(
                source
                for tensor, source in zip(call.inputs, call.sources, strict=True)
                if source >= 0 and _is_held_in_int8(tensor)
            )
            values[call.entry] = sample(call.result)

        result = self._run(self.in_int8, inputs, see)
        for number in is_rounded:
            entry = self.entries[number]
            values[number] = rounded(values[number], entry.outputs_scale[0], entry.outputs_uint8_used[0])
        return values, result

    def _see(self, call: Call, values: Tensor) -> None:
        """A call of the float32 program."""
        entry = self.entries[call.entry]
        if call.is_part:
            return
        self.sources[call.entry] = call.sources
        for index, tensor in enumerate(call.inputs):
            given = index if index < len(entry.inputs_scale) else 0
            scale, uint8 = entry.inputs_scale[given], entry.inputs_uint8_used[given]
            self._count_saturated(call.entry, index, sample(tensor), scale, uint8)
        if entry.quantized:
            self._own[call.entry].add(values, sample(alone(self.in_int8, self.entries, call)))

    def _count_saturated(self, number: int, place: int, values: Tensor, scale: float, uint8: bool) -> None:
        counts = self._saturated.setdefault((number, place), [0, 0])
        counts[0] += saturated(values, scale, uint8)
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


def times(
    model: torch.nn.Module, measured: Measured, inputs: Inputs, repeats: int
) -> tuple[dict[str, dict[int, Latency]], dict[str, float]]:
    """Least latencies of entries, and of whole forwards, in each precision."""
    from torch_ipex_device.amp.mode import AmpConf, AutoMixPrecision  # imports this package

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
                result = model(*args, **kwargs)
            del result  # not earlier: results that nobody can read are not computed
            if number >= 2:  # the first packs weights and makes primitives
                runs[name].append(latencies(explanation, measured.operators, measured.sources))
                totals[name] = min(totals[name], sum(row.own_nanoseconds for row in explanation.rows) / 1e6)
    return {name: shortest(each) for name, each in runs.items()}, totals


def _is_held_in_int8(tensor: Tensor) -> bool:
    return tensor.device.type == "ipex" and physical_form(tensor).dtype in ("Char", "Byte")

"""Shows every operator of a program that has an entry of the recipe beside that entry.

Which entry an operator has is not guessed from names: the position of the run in C++ moves when an operator takes one.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from torch_ipex_device import _C

from .calibration import Calibration
from .layers import copy_of, running
from .recipe import Entry

_PARTS = {
    "Convolution_Relu": (("relu",),),
    "Convolution_Sum": (("add",),),
    "Convolution_Sum_Relu": (("add",), ("relu",)),
    "LinearFuseEltwise": (("relu", "gelu"),),
}
"""Operators that the archived tool counted to the one before them, by the name of the entry."""


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of an operator that has an entry.

    Attributes:
        entry: its number.
        inputs: the activations; of what the operator wrote, a copy from before.
        sources: for each of them the entry whose result it is, or -1.
        result: what the operator made.
        again: computes the same once, with the recipe that is given, and without effect on the program.
        is_part: whether it belongs to the entry of an operator before it, in a recipe of the archived tool.
    """

    entry: int
    inputs: tuple[Tensor, ...]
    sources: tuple[int, ...]
    result: Tensor
    again: Callable[[Calibration], Tensor]
    is_part: bool


class Trace(TorchDispatchMode):
    """Shows the calls of a program that runs under a recipe.

    Operators compute as without it. `see` may read tensors: what is due to be rounded is rounded later all the same.

    Args:
        run: what `running` gave.
        entries: of the recipe that runs.
        see: called after each operator that has an entry.

    Attributes:
        operators: name and entry of each operator that ran, in their order; None: it has no entry.
        idle: when set, nothing is shown.
    """

    def __init__(self, run: _C.Int8Run, entries: Sequence[Entry], see: Callable[[Call], None]) -> None:
        super().__init__()
        self.operators: list[tuple[str, int | None]] = []
        self.idle = False
        self._run = run
        self._entries = entries
        self._see = see
        self._makers: dict[int, int] = {}  # of storages
        self._parts: tuple[tuple[str, ...], ...] = ()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self.idle:
            return func(*args, **kwargs)
        kept = {id(each): each.clone() for each in _written(func, args, kwargs) if each.device.type == "ipex"}
        before = self._run.position
        result = func(*args, **kwargs)
        taken = self._taken(before, self._run.position, func)
        tensors = _tensors((args, kwargs))
        made = [tensor for tensor in _tensors(result) if tensor.device.type == "ipex"]
        sources = [self._makers.get(_storage(tensor), -1) for tensor in tensors]
        self.operators += [(self._entries[number].op or func.name(), number) for number in taken[:-1]]
        self.operators.append((func.name(), taken[-1] if taken else None))
        for tensor in _written(func, args, kwargs):
            self._makers.pop(_storage(tensor), None)
        inside = {_storage(tensor) for tensor in tensors}
        for tensor in made:  # a new storage may be where an old one was
            if _storage(tensor) not in inside:
                self._makers.pop(_storage(tensor), None)
        if len(taken) == 1 and made:
            number = taken[0]
            self._makers[_storage(made[0])] = number
            count = _activations(self._entries[number], func)
            inputs = tuple(kept.get(id(tensor), tensor) for tensor in tensors[:count])
            again = functools.partial(_again, func, (args, kwargs), kept)
            self._see(Call(number, inputs, tuple(sources[:count]), made[0], again, self._run.position == before))
        return result

    def _taken(self, before: int, after: int, func: Any) -> list[int]:
        """The entries that an operator took; several when it called others."""
        name = func.name().removeprefix("aten::").split(".")[0].rstrip("_")
        if after == before:
            while self._parts:
                words, *rest = self._parts
                self._parts = tuple(rest)
                if name in words:
                    return [after - 1]
            return []
        taken = list(range(before, after)) if before < after else [after - 1]
        self._parts = _PARTS.get(self._entries[taken[-1]].name, ())
        return taken


def alone(calibration: Calibration, entries: Sequence[Entry], call: Call) -> Tensor:
    """Computes an operator in int8 on what a float32 program gives it.

    Its inputs are rounded as they are in the int8 program. Its result is not, unless the operator itself does that.

    Args:
        calibration: where `entries` come from.
        entries: the recipe.
        call: from a run in float32.
    """
    entry = entries[call.entry]
    scales, flags = list(entry.inputs_scale), list(entry.inputs_uint8_used)
    for index, source in enumerate(call.sources[: len(scales)]):
        if source >= 0 and entries[source].quantized:
            scales[index], flags[index] = entries[source].outputs_scale[0], entries[source].outputs_uint8_used[0]
    entry = dataclasses.replace(entry, id=0, inputs_scale=scales, inputs_uint8_used=flags, quantized=True)
    return call.again(copy_of(calibration, [entry]))


def _tensors(values: object) -> list[Tensor]:
    return [leaf for leaf in pytree.tree_leaves(values) if isinstance(leaf, Tensor)]


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata if tensor.layout == torch.strided else -1


def _activations(entry: Entry, func: Any) -> int:
    two = func.name().startswith(("aten::add", "aten::mul"))
    return 2 if two else len(entry.inputs_scale)


def _written(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    """The arguments that an operator writes."""
    found = []
    for index, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = args[index] if index < len(args) else kwargs.get(argument.name)
            found += _tensors(value)
    return found


def _again(func: Any, arguments: tuple[Any, Any], kept: Mapping[int, Tensor], calibration: Calibration) -> Tensor:
    """Runs an operator once more, on what its arguments were before."""
    args, kwargs = pytree.tree_map_only(Tensor, lambda tensor: kept.get(id(tensor), tensor), arguments)
    with running(calibration):
        made: Tensor = _tensors(func(*args, **kwargs))[0]
        return made

"""Runs a program under a copy of a recipe, and shows every operator that has an entry beside that entry.

Which entry an operator has is not guessed from names: the position of the run in C++ moves when an operator takes one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from torch_ipex_device import _C
from torch_ipex_device.core.errors import error

from .calibration import MULTIPLIES, Calibration
from .modules import Watch
from .recipe import Entry

SAMPLES = 1 << 16
"""Most values of a tensor that are compared; of larger ones, as many at random places, always the same."""

_PARTS = {
    "Convolution_Relu": (("relu",),),
    "Convolution_Sum": (("add",),),
    "Convolution_Sum_Relu": (("add",), ("relu",)),
    "LinearFuseEltwise": (("relu", "gelu"),),
}
"""Operators that the archived tool counted to the one before them, by the name of the entry."""


def require(where: str, model: object, conf: object) -> Calibration:
    """Checks the arguments that every function over models has.

    Args:
        where: the function that an error names.
        model: a `torch.nn.Module` on ipex, in evaluation mode.
        conf: an `AmpConf` of `torch.int8` with entries.

    Returns:
        The recipe of `conf`.

    Raises:
        TypeError: E101, no module or no conf.
        ValueError: E103, the model is elsewhere, or trains; a conf of another dtype.
        RuntimeError: E403, no entries.
    """
    from torch_ipex_device.amp.mode import AmpConf  # imports this package

    if not isinstance(model, torch.nn.Module):
        raise error("E101", where, f"got {type(model).__name__} as model; accepted: torch.nn.Module")
    if not isinstance(conf, AmpConf):
        raise error("E101", where, f"got {type(conf).__name__} as conf; accepted: ipex.AmpConf")
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if tensor.device.type != "ipex":
            raise error("E103", where, f'got {name} on {tensor.device}; accepted: a model on ipex, `model.to("ipex")`')
    for name, module in model.named_modules():
        if module.training:
            what = f"module {name}" if name else "the model"
            raise error("E103", where, f"got {what} in training mode; accepted: evaluation mode, `model.eval()`")
    calibration = conf.calibration
    if not calibration.entries():
        raise error("E403", where, "got a conf without entries; calibrate first, or load a recipe")
    return calibration


def copy_of(calibration: Calibration, entries: Sequence[Entry]) -> Calibration:
    """Returns a recipe with `entries` for the programs of `calibration`; the two share nothing that changes."""
    made = Calibration(None, "min_max")
    made.beginnings.update(calibration.beginnings)
    made.replace([dataclasses.replace(entry) for entry in entries])
    return made


def multiplies(entry: Entry) -> bool:
    """Whether an entry is that of a convolution or a linear layer."""
    return entry.name.startswith(MULTIPLIES)


@contextlib.contextmanager
def running(calibration: Calibration) -> Iterator[_C.Int8Run]:
    """A block in which operators of this thread do what a recipe says, whatever is switched on outside.

    Args:
        calibration: the recipe.

    Returns:
        The run; its position is that of the next entry.
    """
    run = _C.Int8Run(calibration.native, False)
    watch = Watch(run, calibration)
    before = _C.exchange_amp_thread_mode((False, False))
    before_run = _C.exchange_int8_run(run)
    watch.start()
    try:
        yield run
    finally:
        _C.exchange_amp_thread_mode(before)
        _C.exchange_int8_run(before_run)
        watch.stop()


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of an operator that has an entry.

    Attributes:
        entry: its number.
        inputs: the activations.
        sources: for each of them the entry whose result it is, or -1.
        result: what the operator made.
        again: computes the same, with the recipe that is given, and without effect on the program.
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
        again = _again(func, args, kwargs)
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
            is_part = self._run.position == before
            call = Call(number, tuple(tensors[:count]), tuple(sources[:count]), made[0], again, is_part)
            self._see(call)
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


def sample(tensor: Tensor) -> Tensor:
    """Returns values of a tensor, float32 on the CPU, in one dimension: all of them, or `SAMPLES`."""
    values = tensor.detach().to("cpu", torch.float32).flatten()
    return values if values.numel() <= SAMPLES else values[_places(values.numel())]


def rounded(values: Tensor, scale: float, uint8: bool) -> Tensor:
    """Returns what is left of float32 values in int8."""
    low, high = (0, 255) if uint8 else (-128, 127)
    return (values * scale).round().clamp(low, high) / scale


def saturated(values: Tensor, scale: float, uint8: bool) -> int:
    """Returns how many values lie beyond the range of a scale."""
    low, high = (0, 255) if uint8 else (-128, 127)
    steps = (values * scale).round()
    return int(((steps < low) | (steps > high)).sum())


@dataclasses.dataclass
class Noise:
    """Sums of squares of values and of what differs from them, over any number of tensors.

    Attributes:
        signal: of the values.
        noise: of the differences.
        tensors: how many pairs were added.
        equal: whether all pairs were equal to the last bit.
    """

    signal: float = 0.0
    noise: float = 0.0
    tensors: int = 0
    equal: bool = True

    def add(self, expected: Tensor, actual: Tensor) -> None:
        """Adds a pair of samples; where `expected` is not finite, nothing is compared."""
        self.tensors += 1
        self.equal &= torch.equal(expected, actual)
        finite = expected.isfinite()
        expected, actual = expected[finite].double(), actual[finite].double()
        self.signal += float(expected.square().sum())
        self.noise += float((expected - actual).square().sum())

    @property
    def decibel(self) -> float | None:
        """Signal-to-noise ratio; infinite without noise, None when nothing was added."""
        if self.tensors == 0:
            return None
        if self.noise == 0:
            return math.inf
        share = self.signal / self.noise
        return 10 * math.log10(share) if share > 0 else -math.inf  # not a number, too


def groups(entries: Sequence[Entry], sources: dict[int, tuple[int, ...]]) -> list[list[int]]:
    """Puts what follows an operator together with it.

    Convolutions, linear layers, pooling and concatenation begin a group. Everything else joins the group of what it
    reads; of several, of the latest.

    Args:
        entries: the recipe.
        sources: for the entries that ran, the entries that they read, or -1.

    Returns:
        Numbers of entries, in the order of the recipe.
    """
    found: dict[int, list[int]] = {}
    head: dict[int, int] = {}
    for number in sorted(sources):
        latest = max(sources[number], default=-1)
        begins = multiplies(entries[number]) or "Pool" in entries[number].name or entries[number].name == "Cat"
        head[number] = number if begins or latest < 0 else head[latest]
        found.setdefault(head[number], []).append(number)
    return list(found.values())


@functools.lru_cache(maxsize=64)
def _places(count: int) -> Tensor:
    return torch.randint(count, (SAMPLES,), generator=torch.Generator("cpu").manual_seed(0), device="cpu")


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


def _again(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Callable[[Calibration], Tensor]:
    """Repeats an operator on the values that its arguments have now."""
    kept = {id(tensor): tensor.clone() for tensor in _written(func, args, kwargs) if tensor.device.type == "ipex"}

    def again(calibration: Calibration) -> Tensor:
        given = pytree.tree_map_only(Tensor, lambda tensor: kept.get(id(tensor), tensor), (args, kwargs))
        with running(calibration):
            made: Tensor = _tensors(func(*given[0], **given[1]))[0]
            return made

    return again

"""A model in INT8: whether it can be looked at, copies of its recipe, how to run it, and which operators belong together."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import torch

from torch_ipex_device import _C
from torch_ipex_device.core.errors import error

from .calibration import MULTIPLIES, Calibration
from .modules import Watch
from .recipe import Entry


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


def groups(entries: Sequence[Entry], sources: Mapping[int, Sequence[int]]) -> list[list[int]]:
    """Puts what follows an operator together with it.

    Convolutions, linear layers, pooling and concatenation begin a group. Everything else joins the group of what it
    reads: of several, of the first that none of those has read and so rounded, or else of the latest.

    Args:
        entries: the recipe.
        sources: for the entries that ran, the entries that they read, or -1.

    Returns:
        Numbers of entries, in the order of the recipe.
    """
    found: dict[int, list[int]] = {}
    head: dict[int, int] = {}
    rounded: set[int] = set()
    for number in sorted(sources):
        known = [source for source in sources[number] if source in head]
        if not known or multiplies(entries[number]) or "Pool" in entries[number].name or entries[number].name == "Cat":
            head[number] = number
            rounded.update(known)
        else:
            head[number] = head[next((source for source in known if source not in rounded), max(known))]
        found.setdefault(head[number], []).append(number)
    return list(found.values())

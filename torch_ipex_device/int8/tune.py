"""Chooses what stays in float32 so that a model is as accurate as wanted."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from torch_ipex_device.core.errors import error

from . import layers
from .calibration import REASON, Calibration
from .layers_noise import Noise, sample
from .layers_trace import Call, Trace, alone
from .recipe import Entry
from .tune_search import fewest

if TYPE_CHECKING:
    from torch_ipex_device.amp.mode import AmpConf

_WHERE = "int8.tune"
_FORWARDS = 4
"""Forwards of the float32 program, the first ones, from which the noise of a layer is known."""


@dataclasses.dataclass(frozen=True)
class Trial:
    """One evaluation.

    Attributes:
        disabled: entries that computed in int8 by the recipe that was given, and in float32 here.
        value: what `evaluate` returned.
    """

    disabled: tuple[int, ...]
    value: float


@dataclasses.dataclass(frozen=True)
class Tuned:
    """What `ipex.int8.tune` did.

    Attributes:
        disabled: entries that it set to `"quantized": false`, in order.
        float32: value of `evaluate` in float32.
        int8: with the recipe as it was.
        value: with the recipe as it is now; at least `float32 - max_drop`.
        trials: all evaluations with a recipe, in order. One more was in float32.
    """

    disabled: tuple[int, ...]
    float32: float
    int8: float
    value: float
    trials: tuple[Trial, ...]

    @property
    def evaluations(self) -> int:
        """How often `evaluate` was called."""
        return 1 + len(self.trials)


def tune(
    model: torch.nn.Module,
    conf: AmpConf,
    evaluate: Callable[[torch.nn.Module], float],
    max_drop: float = 0.01,
    *,
    progress: bool = True,
) -> Tuned:
    """Sets as few entries as possible to float32, so that the model is as good in int8 as in float32, but for `max_drop`.

    A convolution or linear layer is switched together with what follows it (batch norm, relu, add). The layers are ranked by
    the noise of each alone in int8 on the inputs that the float32 program gives it (`Layer.own_sqnr_db` of `report`),
    measured in the first forwards of the evaluation in float32. The 1, 2, 4, ... noisiest ones are switched off until the
    model is good enough, then bisection finds how many of them it takes, then each is tried in int8 again.

    Args:
        model: on ipex, in evaluation mode.
        conf: `ipex.AmpConf(torch.int8)` with the recipe of the model. Its entries change when the function returns; save
            it then. Entries that are in float32 already stay so.
        evaluate: called with the model, returns how good it is: a number, higher is better. It runs in a block of
            `AutoMixPrecision` without gradients, so it should do nothing on ipex but call the model: take results to the
            CPU first. It should give the same value for the same model, and not need the recipe's operators in another
            thread.
        max_drop: how much lower than in float32 the value may be, 0 or more.
        progress: whether to show a progress bar on stderr.

    Returns:
        What was switched, and the value of every evaluation.

    Raises:
        TypeError: E101, an argument of another type, or `evaluate` returned no number.
        ValueError: E103, an argument or a value of `evaluate` out of range; or the goal is missed with everything in
            float32, since `evaluate` does not repeat. The recipe is as it was then.
        RuntimeError: E402, the model is not the one of the recipe. E403, the recipe is empty.

    Example:
        >>> tuned = ipex.int8.tune(model, conf, lambda model: top_1(model(images).cpu(), labels), max_drop=0.005)
        >>> conf.save("recipe.json")
    """
    calibration = layers.require(_WHERE, model, conf)
    drop = _checked(evaluate, max_drop, progress)
    from tqdm import tqdm  # type: ignore[import-untyped]  # not at the top: most programs never tune

    entries = [dataclasses.replace(entry) for entry in calibration.entries()]
    trials: list[Trial] = []
    with tqdm(desc="tune", unit=" evaluations", disable=not progress) as bar:

        def shown(text: str, value: float) -> float:
            bar.set_postfix_str(f"{text}: {value:.6g}")
            bar.update()
            return value

        def value_of(disabled: Sequence[int]) -> float:
            trial = layers.copy_of(calibration, _without(entries, disabled))
            with torch.no_grad(), layers.running(trial):
                value = _number(evaluate(model))
            trials.append(Trial(tuple(disabled), value))
            return shown(f"{len(disabled)} entries in float32" if disabled else "int8", value)

        value, ranked = _in_float32(model, calibration, entries, evaluate)
        goal = shown("float32", value) - drop
        disabled = fewest(ranked, lambda groups: value_of(_entries(groups)) >= goal)
    if disabled is None:
        got = f"got {value:g} and then {trials[-1].value:g} from evaluate, both in float32"
        raise error("E103", _WHERE, f"{got}; accepted: an evaluate that repeats within max_drop={drop:g}")
    found = _entries(disabled)
    if found:
        calibration.replace(_without(entries, found, "int8.tune chose float32"))
    return Tuned(found, value, trials[0].value, _value_of(trials, found), tuple(trials))


def _checked(evaluate: object, max_drop: object, progress: object) -> float:
    """`max_drop`, if all arguments are fine."""
    if not callable(evaluate):
        raise error("E101", _WHERE, f"got {type(evaluate).__name__} as evaluate; accepted: a function of the model")
    if not isinstance(progress, bool):
        raise error("E101", _WHERE, f"got {type(progress).__name__} as progress; accepted: bool")
    if isinstance(max_drop, bool) or not isinstance(max_drop, numbers.Real):
        raise error("E101", _WHERE, f"got {type(max_drop).__name__} as max_drop; accepted: a number")
    drop = float(max_drop)
    if not 0 <= drop < math.inf:
        raise error("E103", _WHERE, f"got max_drop={drop:g}; accepted: a finite number, 0 or more")
    return drop


def _number(value: object) -> float:
    """What `evaluate` returned, as a finite number."""
    if isinstance(value, torch.Tensor) and value.numel() == 1 and not value.is_complex():
        value = value.item()
    if not isinstance(value, numbers.Real):
        raise error("E101", _WHERE, f"got {type(value).__name__} from evaluate; accepted: a number")
    if not math.isfinite(value):
        raise error("E103", _WHERE, f"got {value} from evaluate; accepted: a finite number, higher is better")
    return float(value)


def _in_float32(
    model: torch.nn.Module,
    calibration: Calibration,
    entries: Sequence[Entry],
    evaluate: Callable[[torch.nn.Module], float],
) -> tuple[float, list[list[int]]]:
    """The value in float32, and groups of entries in int8, the noisiest first."""
    noise = [Noise() for _ in entries]
    sources: dict[int, tuple[int, ...]] = {}

    def see(call: Call) -> None:
        own = noise[call.entry]
        if call.is_part or own.tensors == _FORWARDS:
            trace.idle = all(noise[number].tensors == _FORWARDS for number in sources)
            return
        sources[call.entry] = call.sources
        own.add(sample(call.result), sample(alone(calibration, entries, call)))

    in_float32 = layers.copy_of(calibration, [dataclasses.replace(entry, quantized=False) for entry in entries])
    with torch.no_grad(), layers.running(in_float32) as run, Trace(run, entries, see) as trace:
        value = _number(evaluate(model))
    if not sources:
        got = f"got an evaluate that ran none of the {len(entries)} entries in this thread"
        raise error("E402", _WHERE, f"{got}; accepted: one that calls the model of the recipe on ipex")
    groups = [[number for number in group if entries[number].quantized] for group in layers.groups(entries, sources)]
    sqnr = {number: noise[number].decibel or 0.0 for number in sources}
    return value, sorted(filter(None, groups), key=lambda group: min(sqnr[number] for number in group))


def _entries(groups: Sequence[Sequence[int]]) -> tuple[int, ...]:
    return tuple(sorted(number for group in groups for number in group))


def _without(entries: Sequence[Entry], disabled: Sequence[int], reason: str | None = None) -> list[Entry]:
    made = [dataclasses.replace(entry, extras=dict(entry.extras)) for entry in entries]
    for number in disabled:
        made[number].quantized = False
        if reason is not None:
            made[number].extras[REASON] = reason
    return made


def _value_of(trials: Sequence[Trial], disabled: tuple[int, ...]) -> float:
    return next(trial.value for trial in reversed(trials) if trial.disabled == disabled)

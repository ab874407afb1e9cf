"""One row per action of a soak."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import compiled, inference, movement, training
from .workload import Workload


@dataclass(frozen=True)
class Action:
    """Something that programs do.

    Attributes:
        run: does it once.
        weight: how often it comes, next to the others.
        prepare: what is done once, before the first sample.
    """

    run: Callable[[Workload], None]
    weight: float = 1
    prepare: Callable[[Workload], None] | None = None


ACTIONS: dict[str, Action] = {
    "amp inference": Action(inference.automatic_mixed_precision, 4),
    "amp training": Action(training.automatic_mixed_precision, 2),
    "autocast inference": Action(inference.autocast, 4),
    "autocast training": Action(training.autocast, 2),
    "checkpoint": Action(movement.checkpoint, 2),
    "compiled": Action(compiled.compiled, 4, compiled.prepare),
    "deepcopy": Action(movement.deep_copy, 2),
    "errors": Action(movement.errors, 1),
    "fallback": Action(inference.fallback, 2),
    "inference": Action(inference.eager, 8),
    "int8": Action(inference.int8, 2),
    "loader with a worker": Action(movement.loader, 0.1),
    "optimize": Action(inference.optimized, 1),
    "profiler": Action(inference.profiled, 0.5),
    "settings": Action(inference.settings, 0.5),
    "split masters": Action(training.split_masters, 2),
    "there and back": Action(movement.there_and_back, 2),
    "threads": Action(inference.threads, 2),
    "training": Action(training.plain, 4),
}

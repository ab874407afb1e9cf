"""The class that `prepare_optimizer` gives an optimizer: the one it had, whose step runs on float32 master weights."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, ClassVar, cast, overload

import torch

from .batches import batches_of, scratch_for
from .classes import CLASSES
from .float32_state import loading_as_float32
from .master_weights import MasterWeights
from .stand_ins import StandIns, stand_in_of

_prepared: dict[type[torch.optim.Optimizer], type[PreparedOptimizer]] = {}


class PreparedOptimizer(torch.optim.Optimizer):
    """First base class of a prepared optimizer; the other one is the class that the program chose.

    `param_groups` and `state` hold the parameters of the model. `state` is float32, so `state_dict()` is what the
    program's class gives for a float32 model.
    """

    _ipex_class: ClassVar[type[torch.optim.Optimizer]]
    _ipex_masters: MasterWeights
    _ipex_fuse: bool

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Updates all parameters that have a gradient, on their float32 masters.

        Args:
            closure: computes the loss and its gradients again, with the parameters of the model.

        Returns:
            What `closure` returned.
        """
        known = len(self.state)
        try:
            return (self._step_in_batches if self._ipex_class in CLASSES else self._step_at_once)(closure)
        finally:
            self._sort_state(known)

    def _step_in_batches(self, closure: Callable[[], float] | None) -> float | None:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        step, groups, row = _plain_step(self._ipex_class), self.param_groups, CLASSES[self._ipex_class]
        batches = [
            batch
            for group in groups
            for batch in batches_of(group, self._ipex_masters, self.state, row, self._ipex_fuse)
        ]
        scratch = scratch_for(batches)
        try:
            for batch in batches:
                self.param_groups = [batch.group]
                with StandIns(self, batch.group, batch.members, batch.fuse, scratch):
                    step(self)
        finally:
            self.param_groups = groups
        return loss

    def _step_at_once(self, closure: Callable[[], float] | None) -> float | None:
        groups = [
            StandIns(
                self, group, [stand_in_of(each, self._ipex_masters.of(each)) for each in group["params"]], False, None
            )
            for group in self.param_groups
        ]
        inside = ExitStack()

        def enter() -> None:
            for group in groups:
                inside.enter_context(group)

        def evaluate() -> float:
            assert closure is not None
            inside.close()
            try:
                return closure()
            finally:
                enter()

        with inside:
            enter()
            return _plain_step(self._ipex_class)(self, None if closure is None else evaluate)

    def _sort_state(self, known: int) -> None:
        """Brings entries after the first `known` ones into the order in which a step of all parameters makes them."""
        made = set(list(self.state)[known:])
        for group in self.param_groups if len(made) > 1 else ():
            for parameter in group["params"]:
                if parameter in made:
                    self.state[parameter] = self.state.pop(parameter)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Loads what `state_dict()` of this optimizer gave, or of the program's class on a float32 model.

        Args:
            state_dict: of an optimizer with groups of the same sizes.

        Raises:
            ValueError: groups of other sizes.
        """
        with loading_as_float32(self, self._ipex_masters):
            super().load_state_dict(state_dict)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_ipex_masters": self._ipex_masters, "_ipex_fuse": self._ipex_fuse}

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return _blank, (self._ipex_class,), self.__getstate__()


def _plain_step(cls: type[torch.optim.Optimizer]) -> Callable[..., float | None]:
    """Returns `cls.step` without the hooks around it, which the prepared class has itself."""
    step: Any = cls.step
    return step.__wrapped__ if getattr(step, "hooked", False) else step


def prepared_class(cls: type[torch.optim.Optimizer]) -> type[PreparedOptimizer]:
    """Returns the subclass of `PreparedOptimizer` and `cls`, with the name of `cls`; always the same one."""
    if cls not in _prepared:
        made = type(cls.__name__, (PreparedOptimizer, cls), {"_ipex_class": cls, "__doc__": cls.__doc__})
        _prepared[cls] = cast(type[PreparedOptimizer], made)
    return _prepared[cls]


def _blank(cls: type[torch.optim.Optimizer]) -> PreparedOptimizer:
    prepared = prepared_class(cls)
    return prepared.__new__(prepared)

"""The class that `prepare_optimizer` gives an optimizer: the one it had, whose step runs on float32 master weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, ClassVar, cast, overload

import torch
from torch import Tensor

from .classes import CLASSES
from .float32_state import loading_as_float32
from .layouts import is_dense
from .master_weights import MasterWeights
from .stand_ins import StandIns

# So many float32 masters, or one parameter, are there at a time beside what the optimizer keeps: 4 MB. More is slower, too:
# memory is given back to the system and asked for again at every step.
_BATCH = 2**20

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
        if self._ipex_class not in CLASSES:
            return self._step_at_once(closure)
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        step, groups = _plain_step(self._ipex_class), self.param_groups
        try:
            for group in groups:
                self.param_groups = [group]
                for parameters, fuse in self._batches(group):
                    with StandIns(self, self._ipex_masters, group, parameters, fuse):
                        step(self)
        finally:
            self.param_groups = groups
        return loss

    def _step_at_once(self, closure: Callable[[], float] | None) -> float | None:
        groups = [StandIns(self, self._ipex_masters, group, group["params"], False) for group in self.param_groups]
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

    def _batches(self, group: dict[str, Any]) -> Iterator[tuple[list[Tensor], bool]]:
        """Yields the parameters that have a gradient, some at a time, and whether the fused kernel can update them."""
        is_open = group.get("fused") is None and not group.get("foreach") and not group.get("differentiable")
        may_fuse = bool(group.get("fused")) or (self._ipex_fuse and is_open)
        batches: dict[tuple[bool, ...], list[Tensor]] = {}
        for parameter in group["params"]:
            if parameter.grad is None:
                continue
            has_master = parameter in self._ipex_masters
            fuse = may_fuse and _can_fuse(parameter, has_master)
            # The fused SGD takes either all momentum buffers or none.
            is_fresh = self.state.get(parameter, {}).get("momentum_buffer") is None
            batch = batches.setdefault((has_master, fuse, is_fresh), [])
            batch.append(parameter)
            if has_master and sum(member.numel() for member in batch) >= _BATCH:
                yield batches.pop((has_master, fuse, is_fresh)), fuse
        for (_, fuse, _), batch in batches.items():
            yield batch, fuse

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


def _can_fuse(parameter: Tensor, has_master: bool) -> bool:
    assert parameter.grad is not None
    if parameter.grad.layout != torch.strided:
        return False
    return has_master or (is_dense(parameter) and parameter.dtype in (torch.float32, torch.float64))


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

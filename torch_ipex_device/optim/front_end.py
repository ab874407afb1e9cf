"""What `ipex.optimize` does to an optimizer: float32 master weights for parameters that it casts, and fused steps."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn

from torch_ipex_device.core.errors import error
from torch_ipex_device.core.log import logger

from .classes import CLASSES
from .master_weights import MasterWeights
from .prepared import PreparedOptimizer, prepared_class

_DTYPES = (None, torch.float32, torch.bfloat16, torch.float16)
_FLOATS = "torch.float32, torch.bfloat16, torch.float16"
_noticed: set[type[torch.optim.Optimizer]] = set()


def prepare_optimizer(
    optimizer: torch.optim.Optimizer,
    casts: Sequence[tuple[nn.Module, str]],
    dtype: torch.dtype | None,
    split_master_weights: bool,
    fuse_update_step: bool,
    explicit: bool = False,
) -> torch.optim.Optimizer:
    """Casts parameters of a model and lets its optimizer train them in float32. Changes both in place.

    Parameter objects stay the same ones, so modules that share them, groups of the optimizer and references of the
    program need no change. The optimizer's class becomes a subclass of the one it had, with the same name. May be called
    again, with other arguments too.

    Args:
        optimizer: any whose `step` finds its parameters in `param_groups`.
        casts: modules and names of the parameters to cast, also of those that the optimizer does not hold (yet).
        dtype: the dtype of those parameters; None casts none.
        split_master_weights: with bfloat16, keep 16 more bits instead of a float32 copy. No result depends on it.
        fuse_update_step: use the fused CPU kernels of `torch.optim.SGD`, `Adam`, `AdamW` and `Adagrad`.
        explicit: whether the user asked for `fuse_update_step`; a warning is logged if the class has no such kernel.

    Returns:
        `optimizer`.

    Raises:
        TypeError: E101, no optimizer, a parameter that is not floating point, or one that is wider than float32.
        ValueError: E103, another dtype, or an optimizer that cannot train master weights.

    Example:
        >>> from torch_ipex_device.optim.front_end import master_of, prepare_optimizer
        >>> layer = torch.nn.Linear(4, 4)
        >>> optimizer = torch.optim.AdamW(layer.parameters())
        >>> optimizer = prepare_optimizer(optimizer, [(layer, "weight"), (layer, "bias")], torch.bfloat16, True, True)
        >>> layer.weight.dtype, master_of(optimizer, layer.weight).dtype
        (torch.bfloat16, torch.float32)
    """
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise error("E101", "optimize", f"got {type(optimizer).__name__} as optimizer; accepted: torch.optim.Optimizer")
    if dtype not in _DTYPES:
        raise error("E103", "optimize", f"got dtype={dtype}; accepted: {_FLOATS}, None")
    named = dict.fromkeys(_parameter(module, name) for module, name in casts)
    parameters = [p for p in named if dtype is not None and not dtype == p.dtype == torch.float32]
    has_fused_kernel = _class_of(optimizer) in CLASSES and CLASSES[_class_of(optimizer)].has_fused_kernel
    if fuse_update_step and explicit and not has_fused_kernel:
        _notice(_class_of(optimizer))
    fuse = fuse_update_step and has_fused_kernel
    if parameters:
        _require_trainable(optimizer, parameters)
    if parameters or fuse or isinstance(optimizer, PreparedOptimizer):
        masters = _become_prepared(optimizer, fuse)
        for parameter in parameters:
            assert dtype is not None
            masters.cast(parameter, dtype, split_master_weights)
            _widen(optimizer.state.get(parameter, {}))
    return optimizer


def masters_of(optimizer: torch.optim.Optimizer) -> MasterWeights:
    """Returns the master weights of a prepared optimizer, an empty collection for any other."""
    return optimizer._ipex_masters if isinstance(optimizer, PreparedOptimizer) else MasterWeights()


def master_of(optimizer: torch.optim.Optimizer, parameter: Tensor) -> Tensor:
    """Returns the float32 values of a parameter.

    Args:
        optimizer: the one that trains it; need not be prepared.
        parameter: a floating point parameter, of any dtype.

    Returns:
        float32, exactly what the optimizer trains. May share memory with it: not to be written.
    """
    return masters_of(optimizer).read(parameter)


def set_master(optimizer: torch.optim.Optimizer, parameter: Tensor, value: Tensor) -> None:
    """Sets a parameter and its float32 master, as loading a checkpoint does.

    Args:
        optimizer: the one that trains it; need not be prepared.
        parameter: a floating point parameter, of any dtype.
        value: of the same shape, converted to float32.
    """
    masters_of(optimizer).write(parameter, value)


def _parameter(module: nn.Module, name: str) -> Tensor:
    parameter = getattr(module, name)
    if not isinstance(parameter, Tensor) or parameter.dtype not in _DTYPES:
        found = parameter.dtype if isinstance(parameter, Tensor) else type(parameter).__name__
        raise error("E101", "optimize", f"got {type(module).__name__}.{name} as {found}; accepted: {_FLOATS}")
    return parameter


def _class_of(optimizer: torch.optim.Optimizer) -> type[torch.optim.Optimizer]:
    return optimizer._ipex_class if isinstance(optimizer, PreparedOptimizer) else type(optimizer)


def _notice(cls: type[torch.optim.Optimizer]) -> None:
    if cls not in _noticed:
        _noticed.add(cls)
        logger.warning("optimize: there is no fused step for %s; its ordinary step is used", cls.__name__)


def _require_trainable(optimizer: torch.optim.Optimizer, parameters: list[Tensor]) -> None:
    """Raises E103 if the optimizer would not train master weights."""
    name, others = type(optimizer).__name__, "train in float32, or with another optimizer"
    if any(group.get("differentiable") for group in optimizer.param_groups):
        raise error("E103", "optimize", f"got {name} with differentiable=True; {others}")
    cast = {id(parameter) for parameter in parameters}
    for attribute, value in vars(optimizer).items():
        if isinstance(value, (list, tuple)) and any(id(member) in cast for member in value):
            raise error("E103", "optimize", f"got {name}, which keeps parameters in `{attribute}` too; {others}")
    if "step" in vars(optimizer) and not _is_scheduled(optimizer):
        raise error("E103", "optimize", f"got {name} with a replaced `step`; replace it after optimize")


def _become_prepared(optimizer: torch.optim.Optimizer, fuse: bool) -> MasterWeights:
    if not isinstance(optimizer, PreparedOptimizer):
        optimizer.__class__ = prepared_class(type(optimizer))
        assert isinstance(optimizer, PreparedOptimizer)
        optimizer._ipex_masters = MasterWeights()
        optimizer._patch_step_function()
        if _is_scheduled(optimizer):
            optimizer.step = _scheduled(optimizer)  # type: ignore[assignment, method-assign]
    optimizer._ipex_fuse = fuse
    return optimizer._ipex_masters


def _is_scheduled(optimizer: torch.optim.Optimizer) -> bool:
    return hasattr(vars(optimizer).get("step"), "_wrapped_by_lr_sched")


def _scheduled(optimizer: torch.optim.Optimizer) -> Callable[..., float | None]:
    """Returns the `step` that a learning rate scheduler put on the optimizer, for the class that it has now."""
    reference, step = weakref.ref(optimizer), type(optimizer).step

    @wraps(step)
    def scheduled(*args: Any, **kwargs: Any) -> float | None:
        found: Any = reference()
        found._opt_called = True
        return step(found, *args, **kwargs)

    scheduled._wrapped_by_lr_sched = True  # type: ignore[attr-defined]
    return scheduled


def _widen(state: dict[str, Any]) -> None:
    for key, value in state.items():
        if isinstance(value, Tensor) and value.dtype in (torch.bfloat16, torch.float16):
            state[key] = value.float()

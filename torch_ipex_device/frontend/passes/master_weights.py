"""Low precision in training: the parameters are cast, the optimizer keeps float32 master weights."""

from __future__ import annotations

import torch
from torch import nn

from torch_ipex_device.frontend.config import OptimizeConfig
from torch_ipex_device.frontend.originals import keep_masters, originals_of
from torch_ipex_device.optim.front_end import masters_of, prepare_optimizer, set_master

from .dtype import castable


def run(model: nn.Module, optimizer: torch.optim.Optimizer, config: OptimizeConfig) -> torch.optim.Optimizer:
    """Changes a model and its optimizer in place.

    Args:
        model: the model, in training mode.
        optimizer: its optimizer.
        config: dtype, and what the optimizer is to do.

    Returns:
        The optimizer.

    Raises:
        TypeError: E101, the optimizer cannot keep master weights of the model's parameters.
        ValueError: E103, it cannot train master weights.
    """
    dtype = config.low_precision
    modules = castable(model, dtype, training=True) if dtype is not None else []
    modules = [module for module in modules if (kept := originals_of(module)) is None or kept.batch_norm is None]
    for module in modules:
        if (kept := originals_of(module)) is not None:
            kept.settle(module)
    # The masters of parameters that were cast for inference before are their originals, not what the cast left of them.
    masters, exact = masters_of(optimizer), {}
    for module in modules:
        for name, entry in kept.entries.items() if (kept := originals_of(module)) is not None else ():
            parameter = module._parameters[name]
            if parameter is not None and parameter not in masters:
                exact[parameter] = entry.value().detach().clone()
    optimizer = prepare_optimizer(
        optimizer,
        [(module, name) for module in modules for name, each in module._parameters.items() if each is not None],
        dtype,
        config.split_master_weight_for_bf16 and dtype == torch.bfloat16,
        config.fuse_update_step,
        "fuse_update_step" in config.explicit,
    )
    for parameter, value in exact.items():
        set_master(optimizer, parameter, value)
    keep_masters(model.modules(), optimizer)
    return optimizer

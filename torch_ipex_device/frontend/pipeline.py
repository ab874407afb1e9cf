"""The steps of `ipex.optimize`: checks, copies, and the passes in their order."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import nn

from torch_ipex_device.core.errors import error

from . import passes, sample
from .channels_last_mode import auto_channels_last_enabled
from .config import WHERE, OptimizeConfig
from .copying import copied
from .kinds import device_type
from .originals import freeze_masters
from .tracing import Traces

_Model = TypeVar("_Model", bound=nn.Module)


def run(
    model: _Model, optimizer: torch.optim.Optimizer | None, config: OptimizeConfig, sample_input: Any
) -> _Model | tuple[_Model, torch.optim.Optimizer]:
    """Does what `ipex.optimize` documents.

    Args:
        model: as given by the user, like the next one.
        optimizer: for training.
        config: what to do.
        sample_input: None, or arguments for the model.
    """
    _check(model, optimizer, sample_input)
    if not isinstance(model, torch.jit.ScriptModule):
        with torch.inference_mode(False):  # parameters that were made in that mode could not be loaded later
            if not config.inplace:
                model, optimizer = copied(model, optimizer)
            if optimizer is None:
                _for_inference(model, config)
            else:
                optimizer = _for_training(model, optimizer, config)
        if sample_input is not None:
            sample.run(model, sample_input, config.low_precision)
    return model if optimizer is None else (model, optimizer)


def _check(model: object, optimizer: object, sample_input: object) -> None:
    """Raises E101 and E503."""
    if not isinstance(model, nn.Module):
        raise error("E101", WHERE, f"got {type(model).__name__} as model; accepted: torch.nn.Module")
    if optimizer is not None and not isinstance(optimizer, torch.optim.Optimizer):
        accepted = "torch.optim.Optimizer, after dtype: optimize(model, dtype, optimizer)"
        raise error("E101", WHERE, f"got {type(optimizer).__name__} as optimizer; accepted: {accepted}")
    if sample_input is not None:
        sample.arguments_of(sample_input)
    if isinstance(model, torch.jit.ScriptModule):
        return
    if optimizer is None:
        if model.training:
            todo = "for inference call model.eval() first, for training give its optimizer"
            raise error("E503", WHERE, f"got a model in training mode and no optimizer; {todo}")
        return
    if not model.training:
        todo = "for inference leave the optimizer out, for training call model.train() first"
        raise error("E503", WHERE, f"got a model in evaluation mode and an optimizer; {todo}")
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    if not any(id(parameter) in held for parameter in model.parameters()):
        raise error("E503", WHERE, "got an optimizer without any parameter of the model; give the one that trains it")


def _for_inference(model: nn.Module, config: OptimizeConfig) -> None:
    on_cpu, traces = device_type(model) == "cpu", Traces(model)
    freeze_masters(model.modules())
    if on_cpu and config.level == "O1" and auto_channels_last_enabled():
        passes.channels_last.run(model)
    if config.conv_bn_folding:
        passes.conv_bn_folding.run(model, traces, "conv_bn_folding" in config.explicit)
    if config.linear_bn_folding:
        passes.linear_bn_folding.run(model, traces, "linear_bn_folding" in config.explicit)
    if config.replace_dropout_with_identity:
        passes.dropout.run(model)
    if config.low_precision is not None:
        passes.dtype.run(model, config.low_precision)
    if on_cpu:
        _use_native_operators(model, config)
    if config.weights_prepack and on_cpu:
        passes.native_modules.run(model)
    if config.concat_linear:
        passes.concat_linear.run(model, traces)
    if config.graph_mode:
        passes.graph_mode.run(model)


def _for_training(model: nn.Module, optimizer: torch.optim.Optimizer, config: OptimizeConfig) -> torch.optim.Optimizer:
    on_cpu = device_type(model) == "cpu"
    optimizer = passes.master_weights.run(model, optimizer, config)  # first: it may refuse the optimizer
    if on_cpu and config.level == "O1" and auto_channels_last_enabled():
        passes.channels_last.run(model)
    if on_cpu:
        _use_native_operators(model, config)
    if config.graph_mode:
        passes.graph_mode.run(model)
    return optimizer


def _use_native_operators(model: nn.Module, config: OptimizeConfig) -> None:
    if config.optimize_lstm:
        passes.lstm.run(model)
    if config.weights_prepack:
        passes.weights_prepack.run(model)

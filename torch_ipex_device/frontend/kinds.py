"""Which modules the passes may touch: exactly PyTorch's classes, or ours in their place, that nothing else has changed."""

from __future__ import annotations

from collections import Counter

import torch
from torch import nn

from . import modules
from .folded_convolution import FOLDED
from .folded_linear import FoldedLinear, NativeFoldedLinear
from .lstm import LSTM
from .sibling_linear import NativeSiblingLinear, SiblingLinear

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)

NATIVE: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv1d: modules.Conv1d,
    nn.Conv2d: modules.Conv2d,
    nn.Conv3d: modules.Conv3d,
    nn.ConvTranspose1d: modules.ConvTranspose1d,
    nn.ConvTranspose2d: modules.ConvTranspose2d,
    nn.ConvTranspose3d: modules.ConvTranspose3d,
    nn.GELU: modules.GELU,
    nn.LSTM: LSTM,
    nn.LayerNorm: modules.LayerNorm,
    nn.Linear: modules.Linear,
}
"""PyTorch's class -> the class with native operators."""

_STOCK: dict[type[nn.Module], type[nn.Module]] = {
    **{native: stock for stock, native in NATIVE.items()},
    **{folded: stock for stock, folded in FOLDED.items()},
    **dict.fromkeys((FoldedLinear, NativeFoldedLinear, NativeSiblingLinear, SiblingLinear), nn.Linear),
}


def stock_class(module: nn.Module) -> type[nn.Module]:
    """Returns the class of a module; of one of ours, that of PyTorch which it stands for."""
    return _STOCK.get(type(module), type(module))


def is_plain(module: nn.Module) -> bool:
    """Returns whether a module computes what its class says, with parameters that nobody makes from others.

    `weight_norm`, `spectral_norm` and pruning replace the parameter `weight`; parametrizations replace the class; some
    libraries replace `forward` of one module.
    """
    names = set(module._flat_weights_names) if isinstance(module, nn.LSTM) else {"weight", "bias"}
    if isinstance(module, nn.ParameterList):
        names = set(module._parameters)
    return (
        "forward" not in vars(module)
        and set(module._parameters) <= names
        and all(
            type(parameter) is nn.Parameter and parameter.layout is torch.strided
            for parameter in module._parameters.values()
            if parameter is not None
        )
    )


def has_weight(module: nn.Module) -> bool:
    """Returns whether `weight` of a plain module is a parameter of it."""
    return is_plain(module) and module._parameters.get("weight") is not None


def uses(model: nn.Module) -> Counter[int]:
    """Returns for each parameter, by `id`, how many modules of the model own it."""
    return Counter(
        id(parameter)
        for module in model.modules()
        for parameter in module._parameters.values()
        if parameter is not None
    )


def device_type(model: nn.Module) -> str:
    """Returns the type of the device on which a model lives: "ipex" if any tensor is there, otherwise "cpu"."""
    tensors = [*model.parameters(), *model.buffers()]
    return "ipex" if any(tensor.device.type == "ipex" for tensor in tensors) else "cpu"

"""Gives convolutions and linear layers the native operators, which keep packed copies of weights."""

from __future__ import annotations

from collections import Counter

import torch
from torch import nn

from torch_ipex_device.frontend import folded_convolution
from torch_ipex_device.frontend.folded_linear import FoldedLinear, NativeFoldedLinear
from torch_ipex_device.frontend.kinds import CONVOLUTIONS, NATIVE, TRANSPOSED, has_weight
from torch_ipex_device.frontend.sibling_linear import NativeSiblingLinear, SiblingLinear

_CLASSES: dict[type[nn.Module], type[nn.Module]] = {
    **{stock: NATIVE[stock] for stock in (*CONVOLUTIONS, nn.Linear, *TRANSPOSED)},
    **folded_convolution.NATIVE,
    FoldedLinear: NativeFoldedLinear,
    SiblingLinear: NativeSiblingLinear,
}


def run(model: nn.Module) -> None:
    """Replaces the classes of exact convolutions and linear layers, in place.

    Args:
        model: the model, on CPU. Layers whose weight something else computes (`weight_norm`, parametrizations) stay.
    """
    replaced = [module for module in model.modules() if type(module) in _CLASSES and has_weight(module)]
    for module in replaced:
        module.__class__ = _CLASSES[type(module)]
    _own_memory(model, [module._parameters["weight"] for module in replaced])


def _own_memory(model: nn.Module, weights: list[nn.Parameter | None]) -> None:
    """Copies weights out of mapped files, where packed copies cannot belong to the memory of the weight.

    `safetensors` and `torch.load(mmap=True)` give such weights. Those that lie in the same memory as another parameter, or in
    memory that is shared with other processes, stay.
    """
    mapped = [weight for weight in weights if weight is not None and weight.is_cpu and _is_mapped(weight)]
    if not mapped:
        return
    users = Counter(each.data_ptr() for each in model.parameters() if each.layout is torch.strided)
    for weight in mapped:
        if users[weight.data_ptr()] == 1:
            weight.data = weight.detach().clone()


def _is_mapped(weight: nn.Parameter) -> bool:
    storage = weight.untyped_storage()
    return not (storage.resizable() or storage.is_shared())

"""Gives convolutions and linear layers the native operators, which keep packed copies of weights."""

from __future__ import annotations

from collections import Counter

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
    for module in model.modules():
        if type(module) in _CLASSES and has_weight(module):
            module.__class__ = _CLASSES[type(module)]
    _own_memory(model)


def _own_memory(model: nn.Module) -> None:
    """Copies weights out of mapped files, where packed copies cannot belong to the memory of the weight.

    `safetensors` and `torch.load(mmap=True)` give such weights. Those that lie in the same memory, or in memory that is shared
    with other processes, stay.
    """
    weights = {id(each): each for module in model.modules() if (each := module._parameters.get("weight")) is not None}
    users = Counter(weight.data_ptr() for weight in weights.values())
    for weight in weights.values():
        storage = weight.untyped_storage()
        is_foreign = weight.is_cpu and not (storage.resizable() or storage.is_shared())
        if is_foreign and users[weight.data_ptr()] == 1:
            weight.data = weight.detach().clone()

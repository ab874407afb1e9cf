"""Gives layer norm and GELU, between which models spend time that convolutions and linear layers left, native operators."""

from __future__ import annotations

from torch import nn

from torch_ipex_device.frontend.kinds import NATIVE, is_plain

_CLASSES = (nn.GELU, nn.LayerNorm)


def run(model: nn.Module) -> None:
    """Replaces the classes of exact `nn.LayerNorm`s and `nn.GELU`s, in place.

    Args:
        model: the model, on CPU and in evaluation mode.
    """
    for module in model.modules():
        if type(module) in _CLASSES and is_plain(module):
            module.__class__ = NATIVE[type(module)]

"""Gives LSTMs the native operator."""

from __future__ import annotations

from torch import nn

from torch_ipex_device.frontend.kinds import NATIVE, is_plain


def run(model: nn.Module) -> None:
    """Replaces the class of exact `nn.LSTM`s, in place.

    Args:
        model: the model, on CPU.
    """
    for module in model.modules():
        if type(module) is nn.LSTM and is_plain(module):
            module.__class__ = NATIVE[nn.LSTM]  # type: ignore[assignment]

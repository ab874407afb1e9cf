"""Puts weights of convolutions in channels-last order, which PyTorch's kernels between convolutions then follow."""

from __future__ import annotations

import torch
from torch import nn

_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


def run(model: nn.Module) -> None:
    """Changes the memory format of weights in place: of 2- and 3-dimensional convolutions, transposed ones and subclasses too.

    Args:
        model: the model, on CPU.
    """
    for module in model.modules():
        if not isinstance(module, nn.modules.conv._ConvNd):
            continue
        weight = module._parameters.get("weight")
        if type(weight) is nn.Parameter and weight.dim() in _FORMATS and weight.layout is torch.strided:
            weight.data = weight.data.contiguous(memory_format=_FORMATS[weight.dim()])

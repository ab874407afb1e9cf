"""Image models of torchvision, with random weights."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from torch import nn

# Loaded by its path: importing it from its package would activate the device, which no peer needs or has.
SUPPORT = Path(__file__).resolve().parents[2] / "torch_ipex_device" / "testing" / "torchvision_support.py"


def create(name: str) -> nn.Module:
    """Returns torchvision's model of that name, with random weights.

    It has no dropout, whose random numbers would differ between devices. The output layer of ViT, which torchvision
    fills with zeros, is random too.

    Raises:
        ModuleNotFoundError: torchvision is not installed.
    """
    spec = importlib.util.spec_from_file_location("torchvision_support", SUPPORT)
    assert spec is not None and spec.loader is not None
    support = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(support)
    model: nn.Module = getattr(support.import_torchvision().models, name)(weights=None)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    if name == "vit_b_16":
        nn.init.normal_(model.get_parameter("heads.head.weight"), std=0.02)
    return model

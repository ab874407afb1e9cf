"""Classification models of torchvision, the smallest of each family, for tests of whole models."""

from __future__ import annotations

import torch
from torch import nn

from torch_ipex_device.testing.torchvision_support import import_torchvision

# The smallest of each family. An image of their own size where windows or positions are fixed.
FAMILIES = {
    "alexnet": 128,
    "convnext_tiny": 96,
    "densenet121": 96,
    "efficientnet_b0": 96,
    "efficientnet_v2_s": 96,
    "googlenet": 96,
    "inception_v3": 128,
    "maxvit_t": 224,
    "mnasnet0_5": 96,
    "mobilenet_v2": 96,
    "mobilenet_v3_small": 96,
    "regnet_x_400mf": 96,
    "regnet_y_400mf": 96,
    "resnet18": 96,
    "resnet50": 96,
    "resnext50_32x4d": 96,
    "shufflenet_v2_x0_5": 96,
    "squeezenet1_0": 96,
    "swin_t": 128,
    "swin_v2_t": 128,
    "vgg11": 96,
    "vgg11_bn": 96,
    "vit_b_32": 224,
    "wide_resnet50_2": 96,
}


def build(name: str) -> nn.Module:
    """Returns the model with random weights, and batch norms whose statistics and parameters matter."""
    torch.manual_seed(0)
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    model = getattr(import_torchvision().models, name)(weights=None, **options).eval().requires_grad_(False)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.7, 1.4)
            module.weight.uniform_(0.7, 1.4)
            module.bias.normal_(std=0.1)
        elif isinstance(module, nn.Linear) and not module.weight.any():
            module.weight.normal_(std=0.02)  # the head of a vision transformer
    return model

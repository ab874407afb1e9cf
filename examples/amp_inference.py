"""Inference in automatic mixed precision: what is held in bfloat16, and how far the result is from float32.

Usage: python examples/amp_inference.py
"""

from __future__ import annotations

import torch
from torch import nn

import torch_ipex_device as ipex

torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(3, 32, 3, padding=1),
    nn.BatchNorm2d(32),
    nn.ReLU(),
    nn.Conv2d(32, 64, 3, stride=2),
    nn.ReLU(),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(64, 10),
)
model = model.eval().to(ipex.DEVICE)
images = torch.randn(4, 3, 64, 64, device=ipex.DEVICE)

with torch.no_grad():
    full = model(images)
    with ipex.AutoMixPrecision(ipex.AmpConf(torch.bfloat16), running_mode="inference"):
        low = model(images)
        held = ipex.physical_form(low).dtype  # reading it as float32 makes float32 values

error = (low - full).norm() / full.norm()
print(f"dtype {low.dtype}, held as {held}, relative error {error.item():.1e}")

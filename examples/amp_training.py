"""Training in automatic mixed precision: forward and backward in bfloat16, weights and gradients in float32.

Usage: python examples/amp_training.py
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

import torch_ipex_device as ipex

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(32, 128), nn.GELU(), nn.Linear(128, 4)).to(ipex.DEVICE)
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
points = torch.randn(512, 32)
classes = points[:, :4].argmax(1).to(ipex.DEVICE)
points = points.to(ipex.DEVICE)
conf = ipex.AmpConf(torch.bfloat16)

for step in range(60):
    with ipex.AutoMixPrecision(conf, running_mode="training"):
        loss = F.cross_entropy(model(points), classes)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(f"step {step:3d}  loss {loss.item():.3f}")

with torch.no_grad(), ipex.AutoMixPrecision(conf):
    accuracy = (model(points).argmax(1) == classes).float().mean()
held = {(parameter.dtype, parameter.grad.dtype) for parameter in model.parameters() if parameter.grad is not None}
print(f"accuracy {accuracy.item():.3f}, weights and gradients {held}")

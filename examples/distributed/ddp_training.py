"""Data-parallel training: every process has the whole model and a part of each batch; gradients are averaged.

Usage: torchrun --nproc-per-node=2 examples/distributed/ddp_training.py
"""

from __future__ import annotations

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

import torch_ipex_device as ipex

dist.init_process_group("ipex")  # gloo, for tensors on the device and on the CPU
rank = dist.get_rank()

torch.manual_seed(0)  # the same data everywhere; the sampler gives each process its part
images = torch.randn(512, 3, 16, 16)
dataset = TensorDataset(images, images.mean((2, 3)).argmax(1))
sampler: DistributedSampler[tuple[torch.Tensor, ...]] = DistributedSampler(dataset)
loader = DataLoader(dataset, batch_size=32, sampler=sampler)

layers = (nn.Conv2d(3, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 3))
model = DistributedDataParallel(nn.Sequential(*layers).to(ipex.DEVICE))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)

for epoch in range(6):
    sampler.set_epoch(epoch)
    total = torch.zeros((), device=ipex.DEVICE)
    for batch, classes in loader:
        loss = F.cross_entropy(model(batch.to(ipex.DEVICE)), classes.to(ipex.DEVICE))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.detach()
    dist.all_reduce(total, dist.ReduceOp.AVG)
    if rank == 0:
        print(f"epoch {epoch}  loss {total.item() / len(loader):.3f}")

del model, optimizer  # they hold the group
dist.destroy_process_group()

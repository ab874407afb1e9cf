"""DDP with SyncBatchNorm on shards of unequal sizes against BatchNorm on whole batches in one CPU process.

Prints the largest differences of parameters and of running statistics. Argument: a dtype of the model.
"""

from __future__ import annotations

import sys

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

import torch_ipex_device as ipex

STEPS, BATCH, FIRST = 10, 8, 5  # the first rank gets 5 of 8 images


def make_model(dtype: torch.dtype) -> nn.Module:
    torch.manual_seed(0)
    layers = (
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3),
        nn.BatchNorm2d(8, affine=False),
        nn.Flatten(),
        nn.Linear(8 * 64, 10),
        nn.BatchNorm1d(10, momentum=0.3),
    )
    return nn.Sequential(*layers).to(dtype)


def train(model: nn.Module, images: Tensor, labels: Tensor, scale: float) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for image, label in zip(images, labels, strict=True):
        optimizer.zero_grad()
        (F.cross_entropy(model(image), label, reduction="sum") * scale).backward()
        optimizer.step()


dtype = getattr(torch, sys.argv[1])
dist.init_process_group()
rank = dist.get_rank()
generator = torch.Generator().manual_seed(1)
images = torch.randn(STEPS, BATCH, 3, 12, 12, generator=generator) + 1
labels = images.mean((3, 4)).argmax(2)
images = images.to(dtype)

one = make_model(torch.float64)
train(one, images.double(), labels, 1 / BATCH)

model = nn.SyncBatchNorm.convert_sync_batchnorm(make_model(dtype)).to(ipex.DEVICE)
mine = slice(0, FIRST) if rank == 0 else slice(FIRST, BATCH)
# DDP takes the mean of the gradients of all ranks.
train(
    DistributedDataParallel(model),
    images[:, mine].to(ipex.DEVICE),
    labels[:, mine].to(ipex.DEVICE),
    dist.get_world_size() / BATCH,
)
if rank == 0:
    expected, found = one.state_dict(), model.state_dict()
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        error = (found[name].cpu().double() - value).abs().max() / value.abs().max()
        print(name, float(error))
dist.barrier()
dist.destroy_process_group()

"""Trains a small CNN in three ways: one process on whole batches, DDP and FSDP2 on shards; prints the differences."""

from __future__ import annotations

import json
from collections.abc import Callable

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

import torch_ipex_device as ipex

STEPS, BATCH = 20, 16


def make_model() -> nn.Module:
    torch.manual_seed(0)
    layers = (
        nn.Conv2d(3, 16, 3),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2),
        nn.GELU(),
        nn.Flatten(),
        nn.Linear(32 * 36, 10),
    )
    return nn.Sequential(*layers)


def train(model: nn.Module, images: Tensor, labels: Tensor) -> list[float]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    losses = []
    for image, label in zip(images, labels, strict=True):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(image), label)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def weights(model: nn.Module) -> list[Tensor]:
    values = [value.full_tensor() if isinstance(value, DTensor) else value for value in model.parameters()]
    return [value.detach().cpu().clone() for value in values]


def difference(one: list[Tensor], other: list[Tensor]) -> float:
    """Largest difference, relative to the largest weight of each tensor."""
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(one, other, strict=True))


def sharded(model: nn.Module) -> nn.Module:
    mesh = init_device_mesh("ipex", (dist.get_world_size(),))
    for layer in model:
        if list(layer.parameters()):
            fully_shard(layer, mesh=mesh)
    return fully_shard(model, mesh=mesh)


dist.init_process_group()
rank, size = dist.get_rank(), dist.get_world_size()
generator = torch.Generator().manual_seed(1)
images = torch.randn(STEPS, BATCH, 3, 16, 16, generator=generator)
labels = images.mean((3, 4)).argmax(2)
shard = slice(rank * BATCH // size, (rank + 1) * BATCH // size)
mine = images[:, shard].to(ipex.DEVICE), labels[:, shard].to(ipex.DEVICE)

results: dict[str, list[Tensor]] = {}
losses: dict[str, list[float]] = {}
ways: dict[str, tuple[Callable[[nn.Module], nn.Module], str, tuple[Tensor, Tensor]]] = {
    "cpu": (lambda model: model, "cpu", (images, labels)),
    "one process": (lambda model: model, ipex.DEVICE, (images.to(ipex.DEVICE), labels.to(ipex.DEVICE))),
    "ddp": (DistributedDataParallel, ipex.DEVICE, mine),
    "ddp views": (lambda m: DistributedDataParallel(m, gradient_as_bucket_view=True), ipex.DEVICE, mine),
    "fsdp2": (sharded, ipex.DEVICE, mine),
}
torch.ipex.reset_fallback_stats()
for name, (wrap, device, data) in ways.items():
    model = wrap(make_model().to(device))
    losses[name] = train(model, *data)
    results[name] = weights(model)
dist.barrier()
mean = torch.tensor(losses["ddp"])
dist.all_reduce(mean, dist.ReduceOp.AVG)
if rank == 0:
    whole = torch.tensor(losses["one process"])
    report = {
        "loss": [losses["one process"][0], losses["one process"][-1]],
        "cpu to one process": difference(results["one process"], results["cpu"]),
        "one process to ddp": difference(results["ddp"], results["one process"]),
        "losses of one process to ddp": float((whole - mean).abs().max()),
        "ddp to ddp views": difference(results["ddp views"], results["ddp"]),
        "ddp to fsdp2": difference(results["fsdp2"], results["ddp"]),
        "fallbacks": torch.ipex.fallback_stats(),
    }
    print(json.dumps(report))
dist.destroy_process_group()

"""Runs options of DDP, FSDP2, tensor parallelism and DTensor on CPU and on ipex; prints the largest relative differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks, powerSGD_hook
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import CPUOffloadPolicy, FullyShardedDataParallel, MixedPrecisionPolicy, fully_shard
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn.parallel import DistributedDataParallel

import torch_ipex_device  # noqa: F401

warnings.simplefilter("ignore")
dist.init_process_group("ipex")
RANK = dist.get_rank()


class Net(nn.Module):
    """Has a buffer, and a layer that is never used."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.unused = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(3, 3)
        self.norm = nn.BatchNorm1d(8)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.second(F.relu(self.first(x))))


def mlp(device: str) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 8)).to(device)


def batch(device: str) -> Tensor:
    return torch.randn(4, 8, generator=torch.Generator().manual_seed(RANK)).to(device)


def plain(values: Any) -> list[Tensor]:
    whole = [value.full_tensor() if isinstance(value, DTensor) else value for value in values if value is not None]
    return [value.detach().to("cpu", torch.float64) for value in whole]


def ddp(device: str, **options: Any) -> list[Tensor]:
    model = Net().to(device)
    parallel = DistributedDataParallel(model, **options)
    optimizer = torch.optim.SGD(parallel.parameters(), lr=1e-3)
    for _ in range(3):
        parallel(batch(device)).square().mul(torch.arange(8, device=device)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return plain([*model.parameters(), *model.buffers()])


def no_sync(device: str) -> list[Tensor]:
    model = mlp(device)
    parallel = DistributedDataParallel(model)
    with parallel.no_sync():
        parallel(batch(device)).sum().backward()
    parallel(batch(device) * 2).square().sum().backward()
    return plain(parameter.grad for parameter in model.parameters())


def buffers(device: str) -> list[Tensor]:
    """What rank 0 holds is broadcast when the module is wrapped and before every forward."""
    model = Net().to(device)
    model.norm.running_mean.fill_(RANK)
    parallel = DistributedDataParallel(model, find_unused_parameters=True)
    at_first = model.norm.running_mean.clone()
    model.norm.running_mean.fill_(RANK + 5.0)
    parallel(batch("cpu").to(device))
    return plain([at_first, model.norm.running_mean])


def hook(device: str, state: Any, run: Callable[..., Any]) -> list[Tensor]:
    model = mlp(device)
    parallel = DistributedDataParallel(model)
    parallel.register_comm_hook(state, run)
    for _ in range(3):
        parallel(batch(device)).square().sum().backward()
    return plain(parameter.grad for parameter in model.parameters())


def sparse_gradients(device: str) -> list[Tensor]:
    model = nn.EmbeddingBag(10, 4, mode="sum", sparse=True).to(device)
    nn.init.constant_(model.weight, 0.5)
    parallel = DistributedDataParallel(model)
    parallel(torch.tensor([[RANK, 3], [4, 5 + RANK]], device=device)).square().sum().backward()
    assert model.weight.grad is not None and model.weight.grad.is_sparse
    return plain([model.weight.grad.to_dense()])


def uneven_inputs(device: str) -> list[Tensor]:
    model = mlp(device)
    parallel = DistributedDataParallel(model)
    with parallel.join():
        for _ in range(2 + RANK):
            parallel(batch(device)).sum().backward()
    return plain(parameter.grad for parameter in model.parameters())


def zero_redundancy(device: str) -> list[Tensor]:
    model = mlp(device)
    parallel = DistributedDataParallel(model)
    optimizer = ZeroRedundancyOptimizer(parallel.parameters(), torch.optim.SGD, lr=0.01)
    for _ in range(3):
        parallel(batch(device)).sum().backward()
        optimizer.step()
    return plain(model.parameters())


def fsdp(
    device: str, meta: bool = False, clip: bool = False, shape: tuple[int, ...] = (2,), **options: Any
) -> list[Tensor]:
    mesh = init_device_mesh(device, shape, mesh_dim_names=("replicas", "shards")[: len(shape)])
    offloads = "offload_policy" in options
    model = mlp("meta" if meta else "cpu" if offloads else device)
    for part in (model[0], model[2], model):
        fully_shard(part, mesh=mesh, **options)
    if meta:
        model.to_empty(device=device)
        for index, parameter in enumerate(model.parameters()):
            nn.init.constant_(parameter, 0.1 * (index + 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    for _ in range(3):
        model(batch(device)).square().sum().backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        optimizer.zero_grad()
    return plain(parameter.to_local() if offloads else parameter for parameter in model.parameters())


def fsdp1(device: str) -> list[Tensor]:
    """The older wrapper; with an accelerator in the process it takes no CPU module, so on CPU this is DDP."""
    model: nn.Module = mlp(device)
    if device == "cpu":
        model = DistributedDataParallel(model)
    else:
        model = FullyShardedDataParallel(model, device_id=torch.device("ipex:0"), use_orig_params=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    for _ in range(3):
        model(batch(device)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    if isinstance(model, FullyShardedDataParallel):
        with FullyShardedDataParallel.summon_full_params(model):
            return plain([parameter.clone() for parameter in model.parameters()])
    return plain(model.parameters())


def tensor_parallel(device: str) -> list[Tensor]:
    model = mlp(device)
    parallelize_module(model, init_device_mesh(device, (2,)), {"0": ColwiseParallel(), "2": RowwiseParallel()})
    model(torch.ones(4, 8, device=device)).square().sum().backward()
    return plain(parameter.grad for parameter in model.parameters())


def dtensor(device: str) -> list[Tensor]:
    mesh = init_device_mesh(device, (2,))
    rows = distribute_tensor(torch.arange(32.0, device=device).view(8, 4), mesh, [Shard(0)])
    product = (rows @ rows.t()).redistribute(mesh, [Replicate()])
    return plain([rows.redistribute(mesh, [Shard(1)]).to_local(), product, rows.sum()])


def whole_device_mesh(device: str) -> list[Tensor]:
    mesh: DeviceMesh = init_device_mesh(device, (2, 1), mesh_dim_names=("replicas", "shards"))
    x = batch(device)
    dist.all_reduce(x, group=mesh.get_group("replicas"))
    dist.all_reduce(x, group=mesh.get_group("shards"))
    return plain([x])


RUNS: dict[str, Callable[[str], list[Tensor]]] = {
    "find_unused_parameters": lambda device: ddp(device, find_unused_parameters=True),
    "gradient_as_bucket_view": lambda device: ddp(device, find_unused_parameters=True, gradient_as_bucket_view=True),
    "static_graph": lambda device: ddp(device, static_graph=True),
    "device_ids": lambda device: ddp(device, find_unused_parameters=True, device_ids=[0] if device == "ipex" else None),
    "no_sync": no_sync,
    "buffers": buffers,
    "allreduce_hook": lambda device: hook(device, None, default_hooks.allreduce_hook),
    "powerSGD_hook": lambda device: hook(
        device, powerSGD_hook.PowerSGDState(None, start_powerSGD_iter=2), powerSGD_hook.powerSGD_hook
    ),
    "sparse gradients": sparse_gradients,
    "join": uneven_inputs,
    "ZeroRedundancyOptimizer": zero_redundancy,
    "fully_shard": fsdp,
    "fully_shard, no reshard": lambda device: fsdp(device, reshard_after_forward=False),
    "fully_shard, mixed precision": lambda device: fsdp(
        device, mp_policy=MixedPrecisionPolicy(reduce_dtype=torch.float64)
    ),
    "fully_shard, offload": lambda device: fsdp(device, offload_policy=CPUOffloadPolicy(pin_memory=device == "ipex")),
    "fully_shard, meta": lambda device: fsdp(device, meta=True),
    "fully_shard, clip": lambda device: fsdp(device, clip=True),
    "fully_shard, replicas": lambda device: fsdp(device, shape=(2, 1)),
    "fully_shard, two dimensions": lambda device: fsdp(device, shape=(1, 2)),
    "FullyShardedDataParallel": fsdp1,
    "tensor parallelism": tensor_parallel,
    "DTensor": dtensor,
    "DeviceMesh": whole_device_mesh,
}
for name, run in RUNS.items():
    expected, actual = run("cpu"), run("ipex")
    scales = [max(float(value.abs().max()), 1e-2) for value in expected]
    worst = max(float((a - e).abs().max()) / scale for a, e, scale in zip(actual, expected, scales, strict=True))
    found = torch.tensor(worst)
    dist.all_reduce(found, dist.ReduceOp.MAX)
    if RANK == 0:
        print(name, found.item())
dist.barrier()
dist.destroy_process_group()

"""Fully sharded training: every process holds a part of each weight; a distributed checkpoint is saved and loaded.

Usage: torchrun --nproc-per-node=2 examples/distributed/fsdp_training.py
"""

from __future__ import annotations

import tempfile

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.nn.functional as F
from torch import nn
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

import torch_ipex_device as ipex

dist.init_process_group("ipex")
rank = dist.get_rank()
mesh = init_device_mesh("ipex", (dist.get_world_size(),))

torch.manual_seed(0)  # shards get random numbers of their own from one seed
with torch.device("meta"):  # weights are never whole in one process
    model = nn.Sequential(*(nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True) for _ in range(2)))
for layer in model:
    fully_shard(layer, mesh=mesh)
fully_shard(model, mesh=mesh)
model.to_empty(device=ipex.DEVICE)
for module in model.modules():
    if isinstance(module, nn.MultiheadAttention):
        module._reset_parameters()
    elif isinstance(module, (nn.Linear, nn.LayerNorm)):
        module.reset_parameters()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

generator = torch.Generator().manual_seed(rank)
for step in range(30):
    sequences = torch.randn(8, 16, 64, generator=generator).to(ipex.DEVICE)
    loss = F.mse_loss(model(sequences), sequences / 2)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 10 == 0:
        mean = loss.detach()
        dist.all_reduce(mean, dist.ReduceOp.AVG)
        if rank == 0:
            print(f"step {step:2d}  loss {mean.item():.3f}")

folder = [tempfile.mkdtemp()]
dist.broadcast_object_list(folder, src=0)
weights, states = get_state_dict(model, optimizer)
dcp.save({"model": weights, "optimizer": states}, checkpoint_id=folder[0])
dcp.load({"model": weights, "optimizer": states}, checkpoint_id=folder[0])
set_state_dict(model, optimizer, model_state_dict=weights, optim_state_dict=states)
local = sum(parameter.to_local().numel() for parameter in model.parameters())  # type: ignore[attr-defined]
whole = sum(parameter.numel() for parameter in model.parameters())
if rank == 0:
    print(f"checkpoint saved and loaded; this process holds {local} of {whole} weights")

del model, optimizer  # they hold the group
dist.destroy_process_group()

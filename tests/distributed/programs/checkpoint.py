"""Saves or loads a distributed checkpoint of a sharded model; arguments: save or load, folder, device.

Loading compares with what training gives, which every rank repeats in one process.
"""

from __future__ import annotations

import sys

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.nn.functional as F
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

import torch_ipex_device  # noqa: F401

action, folder, device = sys.argv[1:]


def make(seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(12, 33), nn.GELU(), nn.Linear(33, 5)).to(device)
    if action in ("save", "load sharded"):
        mesh = init_device_mesh(device, (dist.get_world_size(),))
        for layer in (model[0], model[2], model):
            fully_shard(layer, mesh=mesh)
    return model, torch.optim.AdamW(model.parameters(), lr=0.01)


def train(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    x = torch.linspace(-1, 1, 8 * 12).view(8, 12).to(device)
    for _ in range(3):
        optimizer.zero_grad()
        F.mse_loss(model(x), x[:, :5]).backward()
        optimizer.step()


dist.init_process_group()
if action == "save":
    model, optimizer = make(0)
    train(model, optimizer)
    weights, states = get_state_dict(model, optimizer)
    plain = torch.arange(6.0, device=device).view(2, 3)[:, 1:]
    dcp.save({"model": weights, "optimizer": states, "plain": plain, "steps": 3}, checkpoint_id=folder)
    dcp.async_save({"plain": plain}, checkpoint_id=f"{folder}/async").result()
else:
    model, optimizer = make(1)
    weights, states = get_state_dict(model, optimizer)
    plain = torch.zeros(2, 2, device=device)
    state = {"model": weights, "optimizer": states, "plain": plain, "steps": 0}
    dcp.load(state, checkpoint_id=folder)
    set_state_dict(model, optimizer, model_state_dict=weights, optim_state_dict=states)
    assert state["steps"] == 3 and plain.device.type == device and plain.tolist() == [[1, 2], [4, 5]]
    train(model, optimizer)
    loaded, loaded_states = get_state_dict(model, optimizer, options=StateDictOptions(full_state_dict=True))
    action = "reference"
    expected, trained = make(0)
    train(expected, trained)
    train(expected, trained)
    wanted, wanted_states = get_state_dict(expected, trained)
    for name, value in wanted.items():
        torch.testing.assert_close(loaded[name].cpu(), value.cpu(), rtol=1e-5, atol=1e-6)
        for moment, moment_value in wanted_states["state"][name].items():
            torch.testing.assert_close(
                loaded_states["state"][name][moment].cpu(), moment_value.cpu(), rtol=1e-5, atol=1e-6
            )
    if dist.get_rank() == 0:
        print(f"loaded {len(wanted)} weights with their states on {device} by {dist.get_world_size()}")
dist.destroy_process_group()

"""Rewrites a graph of CPU tensors into one of ipex tensors."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import fx

from .functions import function

DEVICE = torch.device("ipex:0")

_FACTORIES = (
    torch.arange,
    torch.empty,
    torch.eye,
    torch.full,
    torch.linspace,
    torch.ones,
    torch.rand,
    torch.randint,
    torch.randn,
    torch.randperm,
    torch.scalar_tensor,
    torch.tensor,
    torch.tril_indices,
    torch.triu_indices,
    torch.zeros,
)


def retarget(graph_module: fx.GraphModule) -> fx.GraphModule:
    """Returns a copy of the graph whose tensors are on ipex, once its inputs are."""
    made = copy.deepcopy(graph_module)
    for node in made.graph.nodes:
        called = function(node)
        if called is None:
            continue
        name = called if isinstance(called, str) else getattr(called, "__name__", "")
        if name == "cpu":
            node.target, node.args = "to", (*node.args[:1], DEVICE)
        elif name == "_enter_autocast":
            node.args = tuple("ipex" if argument == "cpu" else argument for argument in node.args)
        else:
            node.args = tuple(_moved(argument) for argument in node.args) if name == "to" else node.args
            if "device" in node.kwargs or called in _FACTORIES:
                node.kwargs = {**node.kwargs, "device": _moved(node.kwargs.get("device") or "cpu")}
    for holder in made.modules():
        for name, value in {**holder._parameters, **holder._buffers}.items():
            if isinstance(value, torch.Tensor) and value.device.type == "cpu":
                moved = value.detach().to(DEVICE)
                holder._parameters.pop(name, None)
                holder._buffers.pop(name, None)
                holder.register_buffer(name, moved)
        for name, value in list(vars(holder).items()):
            if isinstance(value, torch.Tensor) and value.device.type == "cpu":
                setattr(holder, name, value.to(DEVICE))
    made.recompile()
    return made


def _moved(device: Any) -> Any:
    is_cpu = device == "cpu" or (isinstance(device, torch.device) and device.type == "cpu")
    return DEVICE if is_cpu else device

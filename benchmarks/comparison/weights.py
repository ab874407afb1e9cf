"""Gives every alternative bit for bit the same weights, without the memory and time of making them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from models import MODELS

from .workload import Workload


def save(model: str, folder: Path) -> nn.Module:
    """Builds a model, writes its weights once, and returns it in eval mode."""
    module = MODELS[model].build()
    file = _file(model, folder)
    if not file.exists():
        torch.save(module.state_dict(), file)
    return module


def load(workload: Workload, folder: Path, device: str = "cpu") -> nn.Module:
    """Returns the model in eval mode, on `device`, with the weights written before; each weight is allocated once."""
    with torch.device("meta"):
        module = MODELS[workload.model].create()
    module.load_state_dict(torch.load(_file(workload.model, folder), map_location=device), assign=True)
    return module.eval()


def example(workload: Workload, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Returns the input: images of that dtype, or int64 token ids."""
    input = MODELS[workload.model].example(workload.batch)
    return input.to(dtype) if input.is_floating_point() else input


def _file(model: str, folder: Path) -> Path:
    return folder / f"{model}.weights.pt"

"""Gives every alternative bit for bit the same weights and data, without the memory and time of making them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from models import find

from .workload import Workload


def save(workload: Workload, folder: Path) -> nn.Module:
    """Builds a model, writes its weights once, input and calibration data per batch, and returns it in eval mode."""
    row = find(workload.model)
    module = row.build()
    file = _weights(workload, folder)
    if not file.exists():
        torch.save(module.state_dict(), file)
    torch.save(row.example(workload.batch), _data(workload, folder, "example"))
    torch.save(row.calibration(workload.batch), _data(workload, folder, "calibration"))
    return module


def load(workload: Workload, folder: Path, device: str = "cpu") -> nn.Module:
    """Returns the model in eval mode, on `device`, with the weights written before; each weight is allocated once."""
    with torch.device("meta"):
        module = find(workload.model).create()
    module.load_state_dict(torch.load(_weights(workload, folder), map_location=device), assign=True)
    return module.eval()


def example(workload: Workload, folder: Path, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Returns the input written before: images of that dtype, or int64 token ids."""
    input: torch.Tensor = torch.load(_data(workload, folder, "example"))
    return input.to(dtype) if input.is_floating_point() else input


def calibration(workload: Workload, folder: Path) -> list[torch.Tensor]:
    """Returns the batches written before from which int8 takes its ranges; their shape is that of the input."""
    batches: list[torch.Tensor] = torch.load(_data(workload, folder, "calibration"))
    return batches


def _weights(workload: Workload, folder: Path) -> Path:
    return folder / f"{workload.model}.weights.pt"


def _data(workload: Workload, folder: Path, kind: str) -> Path:
    return folder / f"{workload.model}.{workload.batch}.{kind}.pt"

"""Stock PyTorch, operator by operator."""

from __future__ import annotations

from pathlib import Path

import torch

from comparison import weights
from comparison.workload import Workload

from .program import Program, autocast, inference, training

DISTRIBUTIONS = ("torch",)


def prepare(workload: Workload, folder: Path, memory_format: torch.memory_format = torch.preserve_format) -> Program:
    """Returns the model; images are in the memory format of the model, as a data loader would deliver them."""
    model = weights.load(workload, folder).to(memory_format=memory_format)  # type: ignore[call-overload]
    if workload.mode == "training":
        return training(workload, model, weights.example(workload, folder).to(memory_format=memory_format))
    dtype = getattr(torch, workload.parameters)
    input = weights.example(workload, folder, dtype).to(memory_format=memory_format)
    return inference(model.to(dtype), input, mode=autocast(workload))

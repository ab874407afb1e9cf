"""Stock PyTorch compiled by Inductor; for inference with frozen weights, which it then packs and folds."""

from __future__ import annotations

from pathlib import Path

import torch
import torch._inductor.config

from comparison import weights
from comparison.workload import Workload

from .program import Program, autocast, inference, training

DISTRIBUTIONS = ("torch",)


def prepare(workload: Workload, folder: Path, backend: str = "inductor") -> Program:
    """Returns the compiled model; compilation happens in the first iteration."""
    model = weights.load(workload, folder)
    if workload.mode == "training":
        model.compile(backend=backend, dynamic=False)
        return training(workload, model, weights.example(workload, folder))
    torch._inductor.config.freezing = True
    dtype = getattr(torch, workload.parameters)
    # Weights are frozen in the first iteration, and only because gradients are off there.
    compiled = torch.compile(model.to(dtype), backend=backend, dynamic=False)
    return inference(compiled, weights.example(workload, folder, dtype), mode=autocast(workload))

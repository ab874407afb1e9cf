"""This project's front end, operator by operator: `ipex.optimize` of a CPU model."""

from __future__ import annotations

from pathlib import Path

import torch

import torch_ipex_device as ipex
from comparison import weights
from comparison.workload import Workload

from .program import Program, autocast, inference, training

DISTRIBUTIONS = ("torch-ipex-device", "torch")


def prepare(workload: Workload, folder: Path, backend: str | None = None) -> Program:
    """Returns the optimised model; with `backend`, compiled in the first iteration.

    Args:
        workload: what to run.
        folder: where the weights are.
        backend: path of `torch.compile(backend="ipex")`; None: eager.
    """
    model = weights.load(workload, folder)
    dtype = torch.bfloat16 if workload.arithmetic == "bfloat16" else None
    if backend is not None:
        ipex._set_compiler_backend(backend)
    if workload.mode == "training":
        return training(
            workload,
            model,
            weights.example(workload, folder),
            finish=lambda model, optimizer: _train(model, optimizer, dtype, backend),
        )
    if workload.parameters == "bfloat16":
        model, dtype = model.to(torch.bfloat16), None
    model = ipex.optimize(model, dtype=dtype, inplace=True, weights_prepack=backend is None)
    example = weights.example(workload, folder, getattr(torch, workload.parameters))
    if example.dim() == 4:
        example = example.contiguous(memory_format=torch.channels_last)
    run = model if backend is None else torch.compile(model, backend="ipex", dynamic=False)
    return inference(run, example, mode=autocast(workload))


def _train(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, dtype: torch.dtype | None, backend: str | None
) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    model, optimizer = ipex.optimize(model, dtype=dtype, optimizer=optimizer, inplace=True)
    if backend is not None:
        model.compile(backend="ipex", dynamic=False)
    return model, optimizer

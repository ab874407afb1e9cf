"""This project: the model on the device `ipex`, operator by operator; transfers are part of every iteration."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

import torch_ipex_device
from comparison import weights
from comparison.workload import Workload

from .program import Mode, Program, autocast, inference, training

DISTRIBUTIONS = ("torch-ipex-device", "torch")


def prepare(workload: Workload, folder: Path) -> Program:
    """Returns the model on the device."""
    device = torch_ipex_device.DEVICE
    model = weights.load(workload, folder, device)
    if workload.dtype == "mixed":
        conf = torch_ipex_device.AmpConf(torch.bfloat16)
        mode: Mode = partial(torch_ipex_device.AutoMixPrecision, conf, running_mode=workload.mode)
    else:
        mode = autocast(workload, device)
    if workload.mode == "training":
        program = training(workload, model, weights.example(workload), device, mode)
    else:
        dtype = getattr(torch, workload.parameters)
        program = inference(model.to(dtype), weights.example(workload, dtype), device, mode)

    def facts() -> dict[str, int]:
        torch_ipex_device._C.reset_operator_stats()
        program.run()
        calls = torch_ipex_device._C.operator_stats().values()
        return {
            "native_calls": sum(native for native, _ in calls),
            "fallback_calls": sum(fallback for _, fallback in calls),
        }

    return replace(program, facts=facts)

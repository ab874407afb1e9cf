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


def prepare(workload: Workload, folder: Path, compiles: bool = False) -> Program:
    """Returns the model on the device.

    Args:
        workload: what to run.
        folder: where the weights are.
        compiles: whether the default backend of `torch.compile` compiles it in the first iteration.
    """
    device = torch_ipex_device.DEVICE
    model = weights.load(workload, folder, device)
    if compiles:
        model.compile(dynamic=False)
    if workload.dtype in ("mixed", "int8"):
        conf = torch_ipex_device.AmpConf(torch.int8 if workload.dtype == "int8" else torch.bfloat16)
        mode: Mode = partial(torch_ipex_device.AutoMixPrecision, conf, running_mode=workload.mode)
        if workload.dtype == "int8":
            _calibrate(conf, model, workload, folder)
    else:
        mode = autocast(workload, device)
    if workload.mode == "training":
        program = training(workload, model, weights.example(workload, folder), device, mode)
    else:
        dtype = getattr(torch, workload.parameters)
        program = inference(model.to(dtype), weights.example(workload, folder, dtype), device, mode)

    def facts() -> dict[str, int]:
        torch_ipex_device._C.reset_operator_stats()
        program.run()
        calls = torch_ipex_device._C.operator_stats().values()
        return {
            "native_calls": sum(native for native, _ in calls),
            "fallback_calls": sum(fallback for _, fallback in calls),
        }

    return replace(program, facts=facts)


def _calibrate(conf: torch_ipex_device.AmpConf, model: torch.nn.Module, workload: Workload, folder: Path) -> None:
    """Lets the configuration see what the model does with the calibration data; one context per forward, as in inference."""
    for batch in weights.calibration(workload, folder):
        with torch.inference_mode(), torch_ipex_device.AutoMixPrecision(conf, running_mode="calibration"):
            model(batch.to(torch_ipex_device.DEVICE))

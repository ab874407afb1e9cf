"""ONNX Runtime's CPU provider, on a model exported by PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime
import torch

from comparison import weights
from comparison.workload import Workload

from .program import Program

DISTRIBUTIONS = ("onnxruntime", "onnxscript")


def convert(workload: Workload, folder: Path) -> None:
    """Writes the model in ONNX format, with fixed shapes."""
    model, input = weights.load(workload, folder), weights.example(workload)
    torch.onnx.export(model, (input,), _file(workload, folder), input_names=["input"], dynamo=True)


def prepare(workload: Workload, folder: Path) -> Program:
    """Returns a session with all of its graph optimisations, which are its default."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = workload.threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(_file(workload, folder), options, providers=["CPUExecutionProvider"])
    feed = {"input": weights.example(workload).numpy()}

    def run() -> Any:
        return session.run(None, feed)[0]

    return Program(run, lambda: torch.from_numpy(run()))


def _file(workload: Workload, folder: Path) -> Path:
    return folder / f"{workload.model}.{workload.batch}.onnx"

"""OpenVINO's CPU plug-in, on a model converted from PyTorch."""

from __future__ import annotations

from pathlib import Path

import openvino
import torch

from comparison import weights
from comparison.workload import Workload

from .program import Program

DISTRIBUTIONS = ("openvino",)
PRECISIONS = {"float32": openvino.Type.f32, "bfloat16": openvino.Type.bf16}


def convert(workload: Workload, folder: Path) -> None:
    """Writes the model in OpenVINO's format, with weights in float32 and fixed shapes."""
    # PyTorch's fused attention layer (ViT) records another graph in the second of the two traces that are compared.
    torch.backends.mha.set_fastpath_enabled(False)
    input = weights.example(workload)
    model = openvino.convert_model(weights.load(workload, folder), example_input=input, input=[tuple(input.shape)])
    openvino.save_model(model, _file(workload, folder), compress_to_fp16=False)


def prepare(workload: Workload, folder: Path) -> Program:
    """Returns the compiled model; input and output are shared with the caller, not copied.

    Raises:
        RuntimeError: the plug-in computes in another precision than asked, as it does without hardware for it.
    """
    precision = PRECISIONS[workload.arithmetic]
    options = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": workload.threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = openvino.Core().compile_model(_file(workload, folder), "CPU", options)
    used = compiled.get_property("INFERENCE_PRECISION_HINT")
    if used != precision:
        raise RuntimeError(f"asked for {precision.get_type_name()}, OpenVINO computes in {used.get_type_name()} here")
    request, input = compiled.create_infer_request(), weights.example(workload).numpy()

    def run() -> object:
        return request.infer([input], share_inputs=True, share_outputs=True)

    def output() -> torch.Tensor:
        run()
        return torch.from_numpy(request.get_output_tensor(0).data.copy())

    return Program(run, output)


def _file(workload: Workload, folder: Path) -> Path:
    return folder / f"{workload.model}.{workload.batch}.openvino.xml"

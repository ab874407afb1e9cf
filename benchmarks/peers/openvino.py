"""OpenVINO's CPU plug-in, on a model converted from PyTorch; for int8 quantised by NNCF, OpenVINO's tool for that."""

from __future__ import annotations

from pathlib import Path

import openvino
import torch

from comparison import weights
from comparison.workload import Workload
from models import find

from .program import Program

DISTRIBUTIONS = ("openvino", "nncf")
# Of int8, the precision of what NNCF has left as it was.
PRECISIONS = {"float32": openvino.Type.f32, "bfloat16": openvino.Type.bf16, "int8": openvino.Type.f32}


def convert(workload: Workload, folder: Path) -> None:
    """Writes the model in OpenVINO's format, with weights in float32 or int8 and fixed shapes."""
    # PyTorch's fused attention layer (ViT) records another graph in the second of the two traces that are compared.
    torch.backends.mha.set_fastpath_enabled(False)
    input = weights.example(workload, folder)
    model = openvino.convert_model(weights.load(workload, folder), example_input=input, input=[tuple(input.shape)])
    if workload.dtype == "int8":
        model = _quantise(model, workload, folder)
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
    request, input = compiled.create_infer_request(), weights.example(workload, folder).numpy()

    def run() -> object:
        return request.infer([input], share_inputs=True, share_outputs=True)

    def output() -> torch.Tensor:
        run()
        return torch.from_numpy(request.get_output_tensor(0).data.copy())

    return Program(run, output)


def _quantise(model: openvino.Model, workload: Workload, folder: Path) -> openvino.Model:
    """Returns the model with NNCF's default settings for its kind, and ranges from the calibration data."""
    import nncf  # type: ignore[import-not-found]  # here, because the process that is measured does not need it

    batches = weights.calibration(workload, folder)
    kind = nncf.ModelType.TRANSFORMER if find(workload.model).is_transformer else None
    data = nncf.Dataset(batches, lambda batch: batch.numpy())
    return nncf.quantize(model, data, model_type=kind, subset_size=len(batches))


def _file(workload: Workload, folder: Path) -> Path:
    return folder / f"{workload.model}.{workload.batch}.{workload.dtype}.openvino.xml"

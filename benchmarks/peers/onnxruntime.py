"""ONNX Runtime's CPU provider, on a model exported by PyTorch; for int8 quantised by its own tool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime
import torch

from comparison import weights
from comparison.workload import Workload
from models import find

from .program import Program

DISTRIBUTIONS = ("onnxruntime", "onnxscript")
# What is quantised in a transformer. The range of an attention mask is infinite: with the sums and the softmax behind it
# quantised too, nothing is left of MiniLM (SQNR -1 dB instead of 10).
PRODUCTS = ["Conv", "Gemm", "MatMul"]


def convert(workload: Workload, folder: Path) -> None:
    """Writes the model in ONNX format, in float32 or int8, with fixed shapes."""
    model, input = weights.load(workload, folder), weights.example(workload, folder)
    file, is_int8 = _file(workload, folder), workload.dtype == "int8"
    # Weights in a file of their own: not for the quantiser, which loses it on the way.
    torch.onnx.export(model, (input,), file, input_names=["input"], dynamo=True, external_data=not is_int8)
    if is_int8:
        _quantise(
            file, weights.calibration(workload, folder), PRODUCTS if find(workload.model).is_transformer else None
        )


def prepare(workload: Workload, folder: Path) -> Program:
    """Returns a session with all of its graph optimisations, which are its default."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = workload.threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(_file(workload, folder), options, providers=["CPUExecutionProvider"])
    feed = {"input": weights.example(workload, folder).numpy()}

    def run() -> Any:
        return session.run(None, feed)[0]

    return Program(run, lambda: torch.from_numpy(run()))


def _quantise(file: Path, batches: list[torch.Tensor], operators: list[str] | None) -> None:
    """Replaces a float32 model by one with uint8 activations and int8 weights, one scale per output channel.

    `operators` are the types that are quantised; None stands for all that the tool knows.
    """
    # Here, because the process that is measured does not need it.
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._batches = iter(batches)

        def get_next(self) -> dict[str, Any] | None:
            batch = next(self._batches, None)
            return None if batch is None else {"input": batch.numpy()}

    prepared = file.with_suffix(".prepared.onnx")
    # Every shape is a number in the exported model, and the inference of symbolic ones fails on some (MiniLM's mask).
    quant_pre_process(file, prepared, skip_symbolic_shape=True)
    quantize_static(
        prepared,
        file,
        Reader(),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=operators,
        per_channel=True,
        # Its products of uint8 and int8 saturate in 16 bits on processors without VNNI, unless weights have 7 bits.
        reduce_range="vnni" not in Path("/proc/cpuinfo").read_text(),
    )


def _file(workload: Workload, folder: Path) -> Path:
    return folder / f"{workload.model}.{workload.batch}.{workload.dtype}.onnx"

"""One row per alternative: which Python it runs in, what that needs, and what it can do."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from comparison.workload import Workload

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ROOT / "build" / "peers"


@dataclass(frozen=True)
class Alternative:
    """A way to run a model on this machine.

    Attributes:
        name: how it is called on the command line; peers/NAME.py (with underscores) says how it runs a model.
        trains: whether it can run training steps.
        bfloat16: whether it can compute in bfloat16.
        int8: whether it quantises models after training.
        images_only: whether only models with 4-D input make a difference to it.
        converts: whether it first writes the model in a format of its own, in a process that is not measured.
        requirements: packages of its own Python environment; empty when it runs in the Python of the benchmark.
            PyTorch and torchvision, with which every peer makes the model, are added in the versions of the benchmark.
    """

    name: str
    trains: bool = False
    bfloat16: bool = True
    int8: bool = False
    images_only: bool = False
    converts: bool = False
    requirements: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        """Returns the name of the file that runs a model, as `import` wants it."""
        return f"peers.{self.name.replace('-', '_')}"

    def python(self, environments: Path = ENVIRONMENTS) -> Path:
        """Returns the interpreter it runs in."""
        return environments / self.name / "bin" / "python" if self.requirements else Path(sys.executable)

    def environment(self, threads: int) -> dict[str, str]:
        """Returns the environment variables of its process: those of this one, and the number of threads.

        How long an idle thread spins before it sleeps is left as every user has it; `block` in worker.py waits that long.
        """
        variables = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        if not self.name.startswith("ipex"):
            # Stock PyTorch is measured as if the device were not installed.
            variables["TORCH_DEVICE_BACKEND_AUTOLOAD"] = "0"
        if self.requirements:
            variables.pop("PYTHONPATH", None)
        return variables

    def refusal(self, workload: Workload, is_image_model: bool, environments: Path = ENVIRONMENTS) -> str | None:
        """Returns why it cannot run a workload, in one line, or None when it can."""
        if self.images_only and not is_image_model:
            return "not applicable: the input has no channels"
        if workload.mode == "training" and not self.trains:
            return "not applicable: runs inference only"
        if workload.arithmetic == "bfloat16" and not self.bfloat16:
            return "not applicable: has no bfloat16 kernels for CPUs"
        if workload.arithmetic == "int8" and not self.int8:
            return "not available: int8 is not offered for it"
        if workload.arithmetic == "int8" and workload.mode == "training":
            return "not applicable: runs inference only in int8"
        if not self.python(environments).exists():
            return f"not installed: run `python benchmarks/setup_peers.py {self.name}`"
        return None


_ROWS = (
    Alternative("ipex", trains=True, int8=True),
    Alternative("ipex-inductor", trains=True),
    Alternative("ipex-optimize", trains=True),
    Alternative("ipex-compile", trains=True),
    Alternative("ipex-torchscript"),
    Alternative("eager", trains=True),
    Alternative("eager-cl", trains=True, images_only=True),
    Alternative("inductor", trains=True),
    Alternative("zentorch", requirements=("zentorch==2.13.0.2",)),
    Alternative("openvino", int8=True, converts=True, requirements=("openvino==2026.4.1", "nncf==3.4.0")),
    Alternative(
        "onnxruntime",
        bfloat16=False,
        int8=True,
        converts=True,
        requirements=("onnxruntime==1.31.1", "onnx==1.23.2", "onnxscript==0.7.2"),
    ),
)
ALTERNATIVES = {row.name: row for row in _ROWS}

# Stock PyTorch in either memory format: the faster of the two is what the others are compared with.
BASELINES = ("eager", "eager-cl")

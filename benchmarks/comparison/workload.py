"""What all alternatives are given to do: model, batch, threads, inference or training, arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Mode = Literal["inference", "training"]
Dtype = Literal["float32", "bfloat16", "mixed", "int8"]

# A training step multiplies every weight three times: forward, gradient of the input, gradient of the weight.
TRAINING_FACTOR = 3


@dataclass(frozen=True)
class Workload:
    """One comparison.

    Attributes:
        model: name in `models.MODELS` or `models.TRAINED`.
        batch: samples per iteration.
        threads: threads that compute.
        mode: an iteration is a forward, or a training step (forward, loss, backward, SGD with momentum).
        dtype: arithmetic; parameters and input of bfloat16 inference are bfloat16, those of training and of mixed
            precision float32 (autocast, or what a peer has instead). int8 is quantised after training, by each peer in
            its own way, with ranges from the same calibration data; parameters and input are float32 before that.
    """

    model: str
    batch: int
    threads: int
    mode: Mode = "inference"
    dtype: Dtype = "float32"

    def title(self, model: str) -> str:
        """Returns the heading of tables, with the model's printable name."""
        return f"{model}, {self.mode}, {self.dtype}, batch {self.batch}, threads {self.threads}"

    @property
    def parameters(self) -> str:
        """The dtype of parameters and floating point inputs, by its name in torch."""
        return "bfloat16" if self.dtype == "bfloat16" and self.mode == "inference" else "float32"

    @property
    def arithmetic(self) -> str:
        """The dtype of most of the arithmetic, by its name in torch."""
        return "bfloat16" if self.dtype == "mixed" else self.dtype

    @property
    def is_mixed(self) -> bool:
        """Whether operators are to compute in bfloat16 with parameters in float32."""
        return self.arithmetic == "bfloat16" and self.parameters == "float32"

    def operations(self, gflop: float) -> float:
        """Returns the arithmetic of one iteration in 10^9 operations, given that of one sample's forward."""
        return gflop * self.batch * (TRAINING_FACTOR if self.mode == "training" else 1)

"""AMD's extension for stock PyTorch: a torch.compile backend on top of Inductor."""

from __future__ import annotations

from pathlib import Path

import zentorch

from comparison.workload import Workload

from . import inductor
from .program import Program

DISTRIBUTIONS = ("zentorch", "torch")


def prepare(workload: Workload, folder: Path) -> Program:
    """Returns the compiled model.

    Raises:
        RuntimeError: the processor lacks what zentorch needs; it would silently hand everything to Inductor.
    """
    if not zentorch._C.is_avx512_supported():
        raise RuntimeError("zentorch optimises only on processors with AVX-512; without, it is stock Inductor")
    return inductor.prepare(workload, folder, backend="zentorch")

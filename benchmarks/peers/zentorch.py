"""AMD's extension for stock PyTorch: a torch.compile backend on top of Inductor."""

from __future__ import annotations

from pathlib import Path

import torch
import zentorch

from comparison.workload import Workload

from . import inductor
from .program import Program

DISTRIBUTIONS = ("zentorch", "torch")


def prepare(workload: Workload, folder: Path) -> Program:
    """Returns the compiled model.

    zentorch rewrites graphs only where it finds AVX-512 with bfloat16 instructions, and silently is stock Inductor
    elsewhere. Its float32 kernels need AVX-512 only, so for float32 they are measured on such processors too.

    Raises:
        RuntimeError: the processor lacks what zentorch needs.
    """
    if not zentorch._C.is_avx512_supported():
        if workload.arithmetic != "float32" or torch.backends.cpu.get_cpu_capability() != "AVX512":
            raise RuntimeError("zentorch needs AVX-512 with bfloat16 instructions; without, it is stock Inductor")
        zentorch._C.is_avx512_supported = lambda: True
    return inductor.prepare(workload, folder, backend="zentorch")

"""nn.DataParallel stays the pass-through that it is on a machine without an accelerator."""

from __future__ import annotations

import functools
import importlib
from typing import Any

WHY = """`nn.DataParallel` treats any registered accelerator like a set of GPUs: it moves the model there, CPU models
included, and then calls `torch._C._scatter`, which exists in CUDA builds only (AttributeError)."""
UPSTREAM = "torch/nn/parallel/data_parallel.py, unchanged on the main branch in 2026-11; no issue is open"
REMOVE_WHEN = "`nn.DataParallel` passes calls through for accelerators without a scatter of their own"


def apply() -> None:
    """Makes data_parallel.py see no accelerator when ipex is the only one."""
    module: Any = importlib.import_module("torch.nn.parallel.data_parallel")  # the attribute of that name is a function
    original = module._get_available_device_type

    @functools.wraps(original)
    def available_device_type() -> str | None:
        found = original()
        return None if found == "ipex" else found

    module._get_available_device_type = available_device_type

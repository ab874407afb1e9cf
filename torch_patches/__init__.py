"""What stock PyTorch 2.13 still lacks for a device like ipex; applied once, when the device is activated.

A patch is one module of this package: `WHY` says what goes wrong without it, `UPSTREAM` where PyTorch stands, and
`REMOVE_WHEN` when it can go; `apply()` applies it. Nothing changes for tensors of other devices.
"""

from __future__ import annotations

import importlib
import os

PATCHES = (
    "autocast_dtype",
    "autograd_thread",
    "checkpoint",
    "data_parallel",
    "dlpack",
    "dtensor_random",
    "inductor",
    "linear_cross_entropy",
    "multiprocessing",
    "process_group",
    "serialization",
    "tensor_str",
)

_SKIP_VARIABLE = "_TORCH_IPEX_DEVICE_SKIP_PATCHES"  # for the tests that show what a patch is for; comma separated
_applied: set[str] = set()


def apply() -> None:
    """Applies every patch that is not applied yet."""
    skipped = os.environ.get(_SKIP_VARIABLE, "").split(",")
    for name in PATCHES:
        if name not in _applied and name not in skipped:
            importlib.import_module(f"{__name__}.{name}").apply()
            _applied.add(name)

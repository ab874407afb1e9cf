"""torch.autocast("ipex") without a dtype means bfloat16, as torch.autocast("cpu") does."""

from __future__ import annotations

import functools
from typing import Any

import torch

WHY = """PyTorch's default autocast dtype of an out-of-tree device is float16, kept in a variable of every thread that a
backend cannot initialise. The same program that runs in bfloat16 on CPU would overflow, and lack fast kernels, on
ipex."""
UPSTREAM = "aten/src/ATen/autocast_mode.cpp fixes the defaults per device type; no issue is open"
REMOVE_WHEN = "a backend can name the default autocast dtype of its device"


def apply() -> None:
    """Wraps `torch.autocast.__init__`.

    A dtype that the program passes, or has set with `torch.set_autocast_dtype("ipex", ...)`, stays; only float16 set
    that way cannot be told from PyTorch's default and has to be passed.
    """
    original = torch.amp.autocast_mode.autocast.__init__

    @functools.wraps(original)
    def init(self: Any, device_type: str, dtype: torch.dtype | None = None, *args: Any, **kwargs: Any) -> None:
        if device_type == "ipex" and dtype is None and torch.get_autocast_dtype("ipex") == torch.float16:
            dtype = torch.bfloat16
        original(self, device_type, dtype, *args, **kwargs)

    torch.amp.autocast_mode.autocast.__init__ = init  # type: ignore[method-assign]

"""Reentrant checkpoints recompute in the mixed precision of their forward."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch.utils.checkpoint

from torch_ipex_device import _C

WHY = """`torch.utils.checkpoint(use_reentrant=True)` remembers the states of autocast and of the generators, and knows no
others. Called outside of `ipex.AutoMixPrecision`, backward would recompute in float32 what forward computed in
bfloat16. (Checkpoints that are not reentrant recompute inside of a node that says how its forward computed.)"""
UPSTREAM = "torch/utils/checkpoint.py, CheckpointFunction; no issue is open"
REMOVE_WHEN = "a backend can add its state to what reentrant checkpoints remember"


def apply() -> None:
    """Wraps `CheckpointFunction.forward`, which keeps the function that is to be called again."""
    original = torch.utils.checkpoint.CheckpointFunction.forward

    @functools.wraps(original)
    def forward(ctx: Any, run_function: Callable[..., Any], *args: Any) -> Any:
        mode = _C.amp_mode()

        def in_mode(*inputs: Any) -> Any:
            before = _C.exchange_amp_thread_mode(mode)
            try:
                return run_function(*inputs)
            finally:
                _C.exchange_amp_thread_mode(before)

        return original(ctx, in_mode, *args)

    torch.utils.checkpoint.CheckpointFunction.forward = staticmethod(forward)  # type: ignore[method-assign]

"""Backward runs in the thread that calls it, as it does for CPU tensors, instead of in a device thread."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
import torch.autograd.graph

from torch_ipex_device import _C

WHY = """The engine sends the nodes of every device but CPU to a worker thread of that device. For kernels that run in
the calling thread this costs 115 microseconds per backward and a second OpenMP pool, ignores
`torch.set_num_threads`, and hides thread-local settings from custom functions."""
UPSTREAM = "https://github.com/pytorch/pytorch/pull/192004, https://github.com/pytorch/pytorch/pull/186177"
REMOVE_WHEN = "a backend can tell the engine that its nodes belong to the calling thread"


def apply() -> None:
    """Wraps `_engine_run_backward` where torch.autograd binds it.

    PyTorch's switch for this is a thread-local flag, set for the duration of one call. A program that has set it to
    False keeps that; True is the default and cannot be told from an explicit True, so it is overridden.
    """
    original = torch.autograd.graph._engine_run_backward
    is_enabled = torch._C._is_multithreading_enabled
    set_enabled = torch._C._set_multithreading_enabled

    @functools.wraps(original)
    def engine_run_backward(t_outputs: Sequence[Any], *args: Any, **kwargs: Any) -> tuple[torch.Tensor, ...]:
        if not is_enabled() or (_others_have_threads() and not _any_on_device(t_outputs)):
            return original(t_outputs, *args, **kwargs)
        set_enabled(False)
        try:
            return original(t_outputs, *args, **kwargs)
        finally:
            set_enabled(True)

    torch.autograd.graph._engine_run_backward = engine_run_backward
    torch.autograd._engine_run_backward = engine_run_backward


_MPS_BUILT = torch.backends.mps.is_built()


def _others_have_threads() -> bool:
    """Whether tensors of another device with a worker thread can exist: then only graphs rooted on ipex are ours."""
    return _MPS_BUILT or torch.cuda.is_initialized() or torch.xpu.is_initialized() or torch.mtia.is_initialized()


def _any_on_device(roots: Sequence[Any]) -> bool:
    return _C.is_on_device(tuple(roots)) or any(
        isinstance(root, torch.autograd.graph.GradientEdge)
        and root.node._input_metadata[root.output_nr].device.type == "ipex"
        for root in roots
    )

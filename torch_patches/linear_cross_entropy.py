"""linear_cross_entropy resolves automatic options on ipex as it does on CPU."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch.nn.modules.linear_cross_entropy_options import LinearCrossEntropyOptions

WHY = """Which accumulation policy, chunking and dtype "auto" stands for is decided by device type, for cpu and cuda only.
Other devices accumulate in the input's dtype, so bfloat16 and float16 losses and gradients on ipex would differ from
those on CPU by up to 2 percent, and losses near zero would become zero."""
UPSTREAM = (
    "torch/nn/modules/linear_cross_entropy_options.py, _AUTO_DEFAULTS and _resolve_auto_acc_dtype; no issue is open"
)
REMOVE_WHEN = "a backend can register its defaults, or those of unlisted devices are as accurate as those of cpu"


def apply() -> None:
    """Wraps `LinearCrossEntropyOptions._adjust`, which resolves the options for the device of a call."""
    original = LinearCrossEntropyOptions._adjust

    @functools.wraps(original)
    def adjust(
        self: Any, num_batches: int, in_features: int, num_classes: int, dtype: torch.dtype, device: Any = None
    ) -> Any:
        if device is not None and device.type == "ipex":
            device = torch.device("cpu")
        return original(self, num_batches, in_features, num_classes, dtype, device)

    LinearCrossEntropyOptions._adjust = adjust  # type: ignore[method-assign]

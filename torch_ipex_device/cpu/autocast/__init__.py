"""`ipex.cpu.autocast`: PyTorch's own autocast and gradient scaler for CPU, under the names that the archived extension used."""

from __future__ import annotations

import torch

from ._grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast"]


class autocast(torch.amp.autocast_mode.autocast):
    """`torch.autocast("cpu", ...)`: operators on CPU tensors compute in a narrower dtype.

    Args:
        enabled: whether they do.
        dtype: `torch.bfloat16` or `torch.float16`.
        cache_enabled: whether converted weights are kept until the context ends.

    Example:
        >>> with ipex.cpu.autocast.autocast(), torch.no_grad():
        ...     torch.nn.Linear(4, 4)(torch.ones(1, 4)).dtype
        torch.bfloat16
    """

    def __init__(
        self, enabled: bool = True, dtype: torch.dtype = torch.bfloat16, cache_enabled: bool | None = None
    ) -> None:
        super().__init__("cpu", dtype=dtype, enabled=enabled, cache_enabled=cache_enabled)

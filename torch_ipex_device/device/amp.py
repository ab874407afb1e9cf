"""`torch.ipex.amp`: automatic mixed precision with PyTorch's semantics, spelled as in `torch.cuda.amp`."""

from __future__ import annotations

import functools

import torch

from ._utils import TYPE


class autocast(torch.amp.autocast_mode.autocast):
    """`torch.autocast("ipex", ...)`.

    Args:
        enabled: whether operators cast in the region.
        dtype: bfloat16 or float16.
        cache_enabled: whether casts of weights are kept for the region.

    Example:
        >>> x = torch.ones(2, 2, device="ipex")
        >>> with torch.ipex.amp.autocast():
        ...     (x @ x).dtype
        torch.bfloat16
    """

    def __init__(self, enabled: bool = True, dtype: torch.dtype = torch.bfloat16, cache_enabled: bool = True) -> None:
        super().__init__(TYPE, enabled=enabled, dtype=dtype, cache_enabled=cache_enabled)


class GradScaler(torch.amp.GradScaler):
    """`torch.amp.GradScaler("ipex", ...)`; float16 needs it, bfloat16 does not.

    Args:
        init_scale: first factor of the loss.
        growth_factor: what the factor is multiplied with after `growth_interval` steps without an infinity.
        backoff_factor: what it is multiplied with after an infinity or NaN.
        growth_interval: number of steps.
        enabled: False makes every method do nothing or pass its argument through.
    """

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        super().__init__(TYPE, init_scale, growth_factor, backoff_factor, growth_interval, enabled)


custom_fwd = functools.partial(torch.amp.custom_fwd, device_type=TYPE)
"""Decorator of the forward of a `torch.autograd.Function`; see `torch.amp.custom_fwd`."""

custom_bwd = functools.partial(torch.amp.custom_bwd, device_type=TYPE)
"""Decorator of the backward of a `torch.autograd.Function`; see `torch.amp.custom_bwd`."""

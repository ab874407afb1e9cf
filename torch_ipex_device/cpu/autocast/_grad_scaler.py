"""`GradScaler` of the archived extension: PyTorch's, for CPU tensors."""

from __future__ import annotations

import torch


class GradScaler(torch.amp.GradScaler):
    """Scales losses so that gradients in float16 do not vanish; bfloat16 needs none.

    Args:
        init_scale: the first scale.
        growth_factor: what the scale is multiplied by after `growth_interval` steps without infinities.
        backoff_factor: what the scale is multiplied by after a step with infinities.
        growth_interval: steps.
        enabled: False makes every method do nothing.

    Source: `torch.amp.GradScaler`.

    Example:
        >>> ipex.cpu.autocast.GradScaler(init_scale=8.0).scale(torch.ones(1)).item()
        8.0
    """

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        super().__init__("cpu", init_scale, growth_factor, backoff_factor, growth_interval, enabled)

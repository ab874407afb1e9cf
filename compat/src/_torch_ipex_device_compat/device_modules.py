"""Modules whose defaults were others in the old device API."""

from __future__ import annotations

import torch_ipex_device.nn


class FrozenBatchNorm2d(torch_ipex_device.nn.FrozenBatchNorm2d):
    """`torch_ipex_device.nn.FrozenBatchNorm2d` with the `eps` of the old device API, which was 0.

    Args:
        num_features: channels, C.
        eps: added to the variance.
    """

    def __init__(self, num_features: int, eps: float = 0.0) -> None:
        super().__init__(num_features, eps)

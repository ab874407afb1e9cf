"""Compares tensors: what rounding to INT8 adds to them, and what it cuts off."""

from __future__ import annotations

import dataclasses
import functools
import math

import torch
from torch import Tensor

SAMPLES = 1 << 16
"""Most values of a tensor that are compared; of larger ones, as many at random places, always the same."""


def sample(tensor: Tensor) -> Tensor:
    """Returns values of a tensor, float32 on the CPU, in one dimension: all of them, or `SAMPLES`."""
    values = tensor.detach().to("cpu", torch.float32).flatten()
    return values if values.numel() <= SAMPLES else values[_places(values.numel())]


def rounded(values: Tensor, scale: float, uint8: bool) -> Tensor:
    """Returns what is left of float32 values in int8."""
    low, high = (0, 255) if uint8 else (-128, 127)
    return (values * scale).round().clamp(low, high) / scale


def saturated(values: Tensor, scale: float, uint8: bool) -> int:
    """Returns how many values lie beyond the range of a scale."""
    low, high = (0, 255) if uint8 else (-128, 127)
    steps = (values * scale).round()
    return int(((steps < low) | (steps > high)).sum())


@dataclasses.dataclass
class Noise:
    """Sums of squares of values and of what differs from them, over any number of tensors.

    Attributes:
        signal: of the values.
        noise: of the differences.
        tensors: how many pairs were added.
        equal: whether all pairs were equal to the last bit, or not finite alike.
    """

    signal: float = 0.0
    noise: float = 0.0
    tensors: int = 0
    equal: bool = True

    def add(self, expected: Tensor, actual: Tensor) -> None:
        """Adds a pair of samples; where `expected` is not finite, nothing is compared."""
        self.tensors += 1
        self.equal &= torch.equal(expected.nan_to_num(), actual.nan_to_num())
        finite = expected.isfinite()
        expected, actual = expected[finite].double(), actual[finite].double()
        self.signal += float(expected.square().sum())
        self.noise += float((expected - actual).square().sum())

    @property
    def decibel(self) -> float | None:
        """Signal-to-noise ratio; infinite without noise, None when nothing was added."""
        if self.tensors == 0:
            return None
        if self.noise == 0:
            return math.inf
        share = self.signal / self.noise
        return 10 * math.log10(share) if share > 0 else -math.inf  # not a number, too


@functools.lru_cache(maxsize=64)
def _places(count: int) -> Tensor:
    return torch.randint(count, (SAMPLES,), generator=torch.Generator("cpu").manual_seed(0), device="cpu")

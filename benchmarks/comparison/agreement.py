"""How close a result is to the one of stock PyTorch in float64."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Agreement:
    """Distance of two results.

    Attributes:
        max_error: largest absolute difference.
        sqnr_db: signal-to-quantisation-noise ratio in dB; infinite when equal. Rounding of float32 gives 90 to 140.
        cosine: cosine of the angle between the two.
    """

    max_error: float
    sqnr_db: float
    cosine: float


def compare(actual: torch.Tensor, expected: torch.Tensor) -> Agreement:
    """Compares a result with its reference.

    Raises:
        ValueError: the shapes differ.
    """
    if actual.shape != expected.shape:
        raise ValueError(f"the result has shape {tuple(actual.shape)}, its reference {tuple(expected.shape)}")
    a, e = actual.double().flatten(), expected.double().flatten()
    difference = a - e
    noise, signal = float(difference.square().sum()), float(e.square().sum())
    sqnr = math.inf if noise == 0 else 10 * math.log10(signal / noise) if signal else -math.inf
    cosine = float(torch.dot(a, e)) / max(float(a.norm() * e.norm()), torch.finfo(torch.float64).tiny)
    return Agreement(float(difference.abs().max()), sqnr, cosine)

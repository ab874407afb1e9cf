"""How near a result is to an exact one, for tests of whole models."""

from __future__ import annotations

import math

from torch import Tensor


def difference(actual: Tensor, exact: Tensor) -> float:
    """Returns the norm of the difference, relative to the spread of what is expected."""
    exact = exact.double()
    return float((actual.double() - exact).norm() / (exact - exact.mean()).norm())


def sqnr(actual: Tensor, exact: Tensor) -> float:
    """Returns the signal to noise ratio in dB; the signal is the spread of what is expected."""
    return -20 * math.log10(difference(actual, exact))

"""From what calibration saw of a tensor to the scale that it is rounded with in INT8.

A scale is a multiplier: q = saturate(round(x * scale)). It is 255 / threshold for a tensor without negative values, held in
uint8, and 127 / threshold for int8. The algorithm chooses the threshold, the magnitude from which values saturate.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from torch_ipex_device.core.errors import error

_FLOAT32 = torch.finfo(torch.float32)
_MIX = 1e-4


@dataclass
class Statistics:
    """What calibration saw of one tensor of the program, over any number of updates.

    NaN and infinities are counted, and are no part of the other figures. An update without a finite value changes only
    the counts.

    Attributes:
        updates: number of tensors that were seen.
        minimum: smallest finite value; above `maximum` as long as there was none.
        maximum: largest finite value.
        moving_minimum: moving average of the minima: the first, then m += 0.01 * (new - m).
        moving_maximum: moving average of the maxima.
        nans: number of NaN.
        infinities: number of infinities of either sign.
        histogram: counts of |x| in equal bins over [0, range], 2048 of them; empty if none was kept.
        range: upper edge of the last bin.
    """

    updates: int = 0
    minimum: float = float("inf")
    maximum: float = float("-inf")
    moving_minimum: float = 0.0
    moving_maximum: float = 0.0
    nans: int = 0
    infinities: int = 0
    histogram: list[int] = field(default_factory=list)
    range: float = 0.0


def scale_of(statistics: Statistics, algorithm: str, percentile: float = 99.99) -> tuple[float, bool]:
    """Returns the scale of a tensor and the type that holds it.

    A tensor of zeros, and one of which no finite value was seen, has scale 1. A threshold counts as at least 255 times
    the smallest normal float32 number (3.0e-36), so that the scale and its inverse are finite, normal float32 numbers.

    Args:
        statistics: what calibration saw.
        algorithm: "min_max": threshold max|x|. "moving_average_min_max" or "moving_averager_min_max" (the archived
            tool's spelling): the larger magnitude of the two moving averages. "percentile": the magnitude below which
            `percentile` percent of the values lie. "kl": the threshold whose rounded distribution has the smallest
            Kullback-Leibler divergence from that of the values. The last two are max|x| without a histogram.
        percentile: above 0, at most 100.

    Returns:
        Quantisation steps per unit, and whether the tensor is held in uint8 (no negative value was seen).

    Raises:
        ValueError: E103, another algorithm, or a percentile out of range.

    References:
        S. Migacz, "8-bit inference with TensorRT", GPU Technology Conference, 2017 (kl).
        H. Wu et al., "Integer quantization for deep learning inference", arXiv:2004.09602, 2020 (percentile).

    Example:
        >>> scale_of(Statistics(updates=1, minimum=-2.0, maximum=0.5), "min_max")
        (63.5, False)
    """
    if algorithm not in _THRESHOLDS:
        raise error("E103", "int8.scale_of", f"got algorithm={algorithm!r}; accepted: {', '.join(_THRESHOLDS)}")
    if not 0 < percentile <= 100:
        raise error("E103", "int8.scale_of", f"got percentile={percentile!r}; accepted: above 0, at most 100")
    if statistics.updates == 0 or not statistics.minimum <= statistics.maximum:
        return 1.0, False
    uint8 = statistics.minimum >= 0
    threshold = _THRESHOLDS[algorithm](statistics, percentile)
    if threshold == 0:
        return 1.0, uint8
    return (255 if uint8 else 127) / max(threshold, 255 * _FLOAT32.tiny), uint8


def expected_sqnr(statistics: Statistics, scale: float, uint8: bool) -> float:
    """Returns the power of a tensor over that of its quantisation errors, in dB, as far as calibration can tell.

    Errors of rounding are taken as evenly distributed over a step, so their power is 1 / (12 scale^2); values that saturate
    err by what they exceed the range.

    Args:
        statistics: what calibration saw, with a histogram.
        scale: quantisation steps per unit.
        uint8: whether the tensor is held in uint8, else in int8.

    Returns:
        Infinity for a tensor of zeros, and without a histogram.

    References:
        B. Widrow and I. Kollar, "Quantization Noise", Cambridge University Press, 2008.
    """
    counts = _counts(statistics)
    if not len(counts) or counts.sum() == 0 or statistics.range == 0:
        return math.inf
    middles = (torch.arange(len(counts), dtype=torch.float64, device="cpu") + 0.5) * (statistics.range / len(counts))
    excess = (middles - (255 if uint8 else 127) / scale).clamp(min=0)
    power, clipping = ((counts * each.square()).sum().item() / counts.sum().item() for each in (middles, excess))
    return 10 * math.log10(power / (clipping + 1 / (12 * scale * scale)))


def _min_max(statistics: Statistics, percentile: float) -> float:
    return max(abs(statistics.minimum), abs(statistics.maximum))


def _moving_average(statistics: Statistics, percentile: float) -> float:
    return max(abs(statistics.moving_minimum), abs(statistics.moving_maximum))


def _percentile(statistics: Statistics, percentile: float) -> float:
    """The magnitude that a share of the values reaches at most; values lie evenly inside of a bin."""
    largest, counts = _min_max(statistics, percentile), _counts(statistics)
    total = counts.sum().item()
    if total == 0:
        return largest
    reached, wanted = counts.cumsum(0), total * (percentile / 100)
    last = int(torch.searchsorted(reached, wanted))
    inside = 1 - (reached[last].item() - wanted) / counts[last].item()
    return min((last + inside) * statistics.range / len(counts), largest)


def _kl(statistics: Statistics, percentile: float) -> float:
    """The threshold of least divergence, the largest if several have it.

    A threshold keeps the first i bins. P is their distribution, with everything beyond added to bin i - 1. Q is what
    rounding leaves of them: the bins merge into 128 levels (256 for uint8), the mean of a level stands in each of its bins
    that are not empty. Two things are not in the reference. Bin 0 counts as many as bin 1, since zero is exact with every
    scale; otherwise the zeros behind a relu would decide. Q is mixed with 1e-4 of the uniform distribution, so that the
    divergence is finite where P has the outliers in a bin that Q has empty.
    """
    largest, counts = _min_max(statistics, percentile), _counts(statistics)
    levels = 256 if statistics.minimum >= 0 else 128
    if len(counts) <= levels:
        return largest
    counts[0] = counts[1]
    if counts.sum() == 0:
        return largest
    divergence = _divergences(counts, levels)
    best = int((divergence <= divergence.min() + 1e-12).nonzero()[-1])  # 1e-12: noise of sums between equal ones
    return min((levels + best) * statistics.range / len(counts), largest)


def _divergences(counts: Tensor, levels: int) -> Tensor:
    """KL(P || Q) for every number of kept bins from `levels` to all, from running sums instead of P and Q themselves.

    With c the counts, N their sum and o those beyond the kept bins: sum P log P = (sum c log c) / N - log N, where
    the last bin has c + o; sum P log Q is a sum over levels, as Q has one value in all bins of a level that count.

    Args:
        counts: float64, 1-d, longer than `levels`, not all zero.
        levels: how many distinct values are left.

    Returns:
        float64, shape (len(counts) - levels + 1,).
    """
    kept = torch.arange(levels, len(counts) + 1, device="cpu")
    level = torch.arange(levels + 1, device="cpu")
    edges = (level * kept[:, None] + levels - 1) // levels  # of i bins, bin b is in level b * levels // i
    mass, filled = (_running(each)[edges].diff() for each in (counts, (counts > 0).double()))
    total, inside, last = counts.sum(), _running(counts)[kept], counts[kept - 1]
    uniform = _MIX / kept.double()
    log_q = ((1 - _MIX) * mass / filled.clamp(min=1) / inside[:, None].clamp(min=1) + uniform[:, None]).log()
    outliers = total - inside
    log_q_last = torch.where(last > 0, log_q[:, -1], uniform.log())
    c_log_c = _running(counts.xlogy(counts))[kept] - last.xlogy(last) + (last + outliers).xlogy(last + outliers)
    return (c_log_c - (mass * log_q).sum(1) - outliers * log_q_last) / total - total.log()


def _running(values: Tensor) -> Tensor:
    """Sums of the first 0, 1, ..., all values."""
    return torch.cat([values.new_zeros(1), values.cumsum(0)])


def _counts(statistics: Statistics) -> Tensor:
    return torch.tensor(statistics.histogram, dtype=torch.float64, device="cpu")


_THRESHOLDS: dict[str, Callable[[Statistics, float], float]] = {
    "min_max": _min_max,
    "moving_averager_min_max": _moving_average,
    "moving_average_min_max": _moving_average,
    "percentile": _percentile,
    "kl": _kl,
}

ALGORITHMS = tuple(_THRESHOLDS)
"""Names of the algorithms of `scale_of`."""

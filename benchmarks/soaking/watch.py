"""What a process holds, sampled while it works, and whether that grows."""

from __future__ import annotations

import ctypes
import gc
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from pathlib import Path

import torch

import torch_ipex_device

_MB = 1e6
_LIBC = ctypes.CDLL(None)
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Sample:
    """A process at one moment. Memory is in 10^6 bytes.

    Attributes:
        seconds: since the start.
        rss: memory of the process.
        held: the same after the device and the C library gave back what waits for later allocations.
        allocated: `torch.ipex.memory_allocated()`.
        reserved: `torch.ipex.memory_reserved()`, before it was given back.
        primitives: in the primitive cache.
        objects: Python objects that the garbage collector knows, after a collection.
        files: open file descriptors.
        threads: of the process.
    """

    seconds: float
    rss: float
    held: float
    allocated: float
    reserved: float
    primitives: int
    objects: int
    files: int
    threads: int


class Sampler:
    """Takes samples, the first when it is made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self.samples: list[Sample] = []
        self.take()

    @property
    def seconds(self) -> float:
        """Seconds since the first sample."""
        return time.perf_counter() - self._start

    def take(self) -> Sample:
        """Returns a new sample, which is kept too."""
        rss, reserved = _rss(), torch.ipex.memory_reserved() / _MB  # type: ignore[attr-defined]
        gc.collect()
        torch.ipex.empty_cache()  # type: ignore[attr-defined]
        _LIBC.malloc_trim(0)
        self.samples.append(
            Sample(
                seconds=self.seconds,
                rss=rss,
                held=_rss(),
                allocated=torch.ipex.memory_allocated() / _MB,  # type: ignore[attr-defined]
                reserved=reserved,
                primitives=torch_ipex_device._C.primitive_cache_stats()["size"],
                objects=len(gc.get_objects()),
                files=len(os.listdir("/proc/self/fd")),
                threads=len(os.listdir("/proc/self/task")),
            )
        )
        return self.samples[-1]


@dataclass(frozen=True)
class Figure:
    """One attribute of samples, from the end of the warm-up to the end.

    Attributes:
        name: of the attribute.
        least: the smallest value.
        first: median of the first third.
        last: median of the last third.
        most: the largest value.
        growth: slope of the line through the values, times their time: by how much the attribute grew.
    """

    name: str
    least: float
    first: float
    last: float
    most: float
    growth: float


def figures(samples: Sequence[Sample], warm_up: float = 0) -> list[Figure]:
    """Returns a figure for every attribute.

    Args:
        samples: in the order of time.
        warm_up: seconds; earlier samples do not count.
    """
    rest = [sample for sample in samples if sample.seconds >= warm_up]
    times = [sample.seconds for sample in rest]
    third = max(1, len(rest) // 3)
    found = []
    for name in (field.name for field in fields(Sample) if field.name != "seconds"):
        values = [float(getattr(sample, name)) for sample in rest]
        first, last = statistics.median(values[:third]), statistics.median(values[-third:])
        growth = slope(times, values) * (times[-1] - times[0])
        found.append(Figure(name, min(values), first, last, max(values), growth))
    return found


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Returns the median of the slopes between all pairs of points (Theil and Sen), which outliers do not move."""
    points = list(zip(times, values, strict=True))
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2) if b[0] > a[0]]
    return statistics.median(slopes) if slopes else 0.0


def _rss() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / _MB

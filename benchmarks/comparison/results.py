"""From what the workers measured to the rows of tables, JSON lines and plots."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness import Timing
from models import MODELS
from peak import Rates
from peers import BASELINES

from .agreement import Agreement
from .workload import Workload


@dataclass
class Measurement:
    """What is known about one alternative while its workload is measured.

    Attributes:
        samples: milliseconds of each iteration.
        agreement: distance from the float64 run.
        peak_memory: bytes beyond the imported libraries.
        facts: figures that only this peer has.
        versions: of the distributions it consists of.
        busy: how often its threads still used the cores seconds after a block.
        error: why there is nothing or no more, in one line.
    """

    samples: list[float] = field(default_factory=list)
    agreement: Agreement | None = None
    peak_memory: int | None = None
    facts: dict[str, int] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    busy: int = 0
    error: str | None = None


@dataclass(frozen=True)
class Result:
    """One row: an alternative on a workload. Figures are None where `error` says why, or where they do not apply.

    Attributes:
        minimum_ms: the figure to compare; median_ms and p90_ms show how quiet the machine was.
        iterations: how many were timed.
        ratio: minimum_ms divided by that of stock eager PyTorch in its faster memory format; below 1 is faster.
        share_of_peak: arithmetic of an iteration per minimum_ms, divided by what the cores can do at most.
        peak_gops: what the cores can do at most, 10^9 operations per second.
        max_error: largest absolute difference from the float64 run.
        sqnr_db: signal-to-noise ratio of the result in dB; None with a max_error of 0 when it is exact.
        cosine: of the angle between the result and the float64 run.
        memory_mb: peak memory of the process beyond its imported libraries, 10^6 bytes.
        memory_ratio: memory_mb divided by that of the baseline of `ratio`.
        native_calls: operators of one iteration that ran our kernels (ipex only).
        fallback_calls: operators of one iteration that ran stock kernels on the same memory (ipex only).
        note: what a reader must know about the figures.
    """

    model: str
    batch: int
    threads: int
    mode: str
    dtype: str
    alternative: str
    error: str | None
    minimum_ms: float | None = None
    median_ms: float | None = None
    p90_ms: float | None = None
    iterations: int = 0
    ratio: float | None = None
    share_of_peak: float | None = None
    peak_gops: float | None = None
    max_error: float | None = None
    sqnr_db: float | None = None
    cosine: float | None = None
    memory_mb: float | None = None
    memory_ratio: float | None = None
    native_calls: int | None = None
    fallback_calls: int | None = None
    note: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


def summarise(workload: Workload, measurements: Mapping[str, Measurement], peak: Rates) -> list[Result]:
    """Returns one row per alternative, in the order given."""
    usable = {name: measurement for name, measurement in measurements.items() if measurement.error is None}
    baselines = [usable[name] for name in BASELINES if name in usable]
    baseline = min(baselines, key=lambda measurement: min(measurement.samples), default=None)
    gops = peak.get(workload.arithmetic)
    operations = workload.operations(MODELS[workload.model].gflop)

    def row(name: str, measured: Measurement) -> Result:
        identity = (workload.model, workload.batch, workload.threads, workload.mode, workload.dtype, name)
        if measured.error is not None:
            return Result(*identity, measured.error, versions=measured.versions)
        timing = Timing.of(name, measured.samples, len(measured.samples))
        agreement = measured.agreement
        return Result(
            *identity,
            None,
            timing.minimum,
            timing.median,
            timing.p90,
            timing.calls,
            timing.minimum / min(baseline.samples) if baseline else None,
            operations / (timing.minimum * 1e-3) / gops if gops else None,
            gops,
            _finite(agreement.max_error) if agreement else None,
            _finite(agreement.sqnr_db) if agreement else None,
            _finite(agreement.cosine) if agreement else None,
            measured.peak_memory / 1e6 if measured.peak_memory is not None else None,
            _ratio(measured.peak_memory, baseline.peak_memory if baseline else None),
            measured.facts.get("native_calls"),
            measured.facts.get("fallback_calls"),
            _note(measured),
            measured.versions,
        )

    return [row(name, measured) for name, measured in measurements.items()]


def _note(measured: Measurement) -> str | None:
    if measured.agreement and not math.isfinite(measured.agreement.max_error):
        return "its result is not finite"
    return f"its threads kept the cores busy after {measured.busy} blocks" if measured.busy else None


def _ratio(value: int | None, baseline: int | None) -> float | None:
    return value / baseline if value is not None and baseline else None


def _finite(value: float) -> float | None:
    """JSON has no infinity."""
    return value if math.isfinite(value) else None

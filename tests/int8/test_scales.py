"""Scales that follow from statistics: every algorithm against plain definitions on the values themselves."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import torch_ipex_device
from torch_ipex_device.int8 import Statistics, scale_of
from torch_ipex_device.int8.scales import _counts, _divergences

BINS = 2048
patient = settings(deadline=None)  # the machine may be busy
TINY = np.finfo(np.float32).tiny
ALGORITHMS = ["min_max", "moving_averager_min_max", "moving_average_min_max", "percentile", "kl"]


def seen(values, bins=BINS):
    """The statistics of one tensor."""
    values = np.asarray(values, dtype=np.float64)
    finite = values[np.isfinite(values)]
    counts = {"nans": int(np.isnan(values).sum()), "infinities": int(np.isinf(values).sum())}
    if not finite.size:
        return Statistics(updates=1, **counts)
    largest = np.abs(finite).max()
    histogram = np.histogram(np.abs(finite), bins, (0, largest))[0].tolist() if largest else [finite.size] + [0] * 2047
    low, high = float(finite.min()), float(finite.max())
    return Statistics(1, low, high, low, high, **counts, histogram=histogram, range=float(largest))


def threshold_of(statistics, algorithm, percentile=99.99):
    scale, uint8 = scale_of(statistics, algorithm, percentile)
    return (255 if uint8 else 127) / scale


def rounded(values, scale, uint8):
    low, high = (0, 255) if uint8 else (-128, 127)
    return np.clip(np.round(np.asarray(values) * scale), low, high) / scale


def snr(values, scale, uint8):
    noise = values - rounded(values, scale, uint8)
    return 10 * math.log10((values**2).sum() / (noise**2).sum())


rng = np.random.default_rng(0)
SAMPLES = {
    "normal": rng.normal(size=20_000),
    "laplace": rng.laplace(size=20_000),
    "relu": np.maximum(rng.normal(size=20_000), 0),
    "uniform": rng.uniform(size=20_000),
    "cubed": rng.normal(size=20_000) ** 3,
    "outlier": np.append(rng.normal(size=20_000), 60.0),
    "relu and outlier": np.append(np.maximum(rng.normal(size=20_000), 0), 60.0),
    "few": rng.normal(size=20),
    "two": np.array([0.0, 1.0]),
    "constant": np.full(100, -3.0),
    "two far values": np.array([1e-6] * 1000 + [1.0]),
}
samples = pytest.mark.parametrize("values", SAMPLES.values(), ids=SAMPLES)


# What all algorithms have in common.


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    ("statistics", "uint8"),
    [
        (Statistics(), False),
        (seen([]), False),
        (seen([float("nan"), float("inf")]), False),
        (seen([0.0, -0.0]), True),
    ],
    ids=["no update", "empty tensor", "nothing finite", "zeros"],
)
def test_nothing_to_scale_gives_scale_1(algorithm, statistics, uint8):
    assert scale_of(statistics, algorithm) == (1.0, uint8)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_uint8_is_for_tensors_without_negative_values(algorithm):
    assert scale_of(seen([0.0, 2.0]), algorithm)[1]
    assert scale_of(seen([1.0, 2.0]), algorithm)[1]
    assert not scale_of(seen([-1e-30, 2.0]), algorithm)[1]
    assert not scale_of(seen([-2.0, -1.0]), algorithm)[1]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("largest", [1e-45, 1e-38, TINY, 1e-36, 1e-30, 1e30, 3.4e38])
@pytest.mark.parametrize("sign", [1, -1])
def test_scale_and_inverse_are_normal_float32_numbers(algorithm, largest, sign):
    scale, _ = scale_of(seen([0.0, sign * largest]), algorithm)
    for value in (np.float32(scale), np.float32(1) / np.float32(scale)):
        assert np.isfinite(value) and value >= TINY


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@samples
def test_threshold_is_at_most_the_largest_magnitude(algorithm, values):
    assert 0 < threshold_of(seen(values), algorithm) <= np.abs(values).max() * (1 + 1e-12)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@samples
def test_scale_follows_the_unit_of_the_values(algorithm, values):
    one, four = scale_of(seen(values), algorithm)[0], scale_of(seen(4 * values), algorithm)[0]
    assert one == pytest.approx(4 * four, rel=1e-12)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_nan_and_infinities_change_nothing(algorithm):
    values = SAMPLES["normal"]
    bad = seen(np.append(values, [float("nan"), float("inf"), -float("inf")]))
    assert (bad.nans, bad.infinities) == (1, 2)
    assert scale_of(bad, algorithm) == scale_of(seen(values), algorithm)


@pytest.mark.parametrize("algorithm", ["percentile", "kl"])
@pytest.mark.parametrize("histogram", [[], [0] * BINS])
def test_without_a_histogram_the_threshold_is_the_largest_magnitude(algorithm, histogram):
    assert scale_of(Statistics(1, -4.0, 1.0, histogram=histogram, range=4.0), algorithm) == (127 / 4, False)


def test_unknown_algorithm_is_an_error():
    with pytest.raises(ValueError, match=r"\[int8.scale_of\] E103 got algorithm='max'; accepted: min_max, moving_aver"):
        scale_of(seen([1.0]), "max")


@pytest.mark.parametrize("percentile", [0, -1, 100.1, float("nan")])
def test_percentile_out_of_range_is_an_error(percentile):
    with pytest.raises(ValueError, match=r"E103 got percentile=.*; accepted: above 0, at most 100"):
        scale_of(seen([1.0]), "percentile", percentile)


# min_max and moving averages.


@patient
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1))
def test_min_max_saturates_nothing_and_rounds_to_half_a_step(values):
    scale, uint8 = scale_of(seen(values), "min_max")
    assert np.abs(values - rounded(values, scale, uint8)).max() <= 0.5 / scale * (1 + 1e-6)


def test_min_max_uses_all_steps():
    assert scale_of(seen([-2.0, 1.0]), "min_max") == (63.5, False)
    assert scale_of(seen([0.5, 2.0]), "min_max") == (127.5, True)


@pytest.mark.parametrize("algorithm", ["moving_averager_min_max", "moving_average_min_max"])
@pytest.mark.parametrize(("low", "high", "scale"), [(-4.0, 2.0, 127 / 4), (-1.0, 5.0, 127 / 5), (-1.0, -0.5, 127)])
def test_moving_average_takes_the_larger_magnitude(algorithm, low, high, scale):
    assert scale_of(Statistics(9, -100.0, 100.0, low, high), algorithm) == (scale, False)


# Percentile.


@samples
@pytest.mark.parametrize("percentile", [0.01, 1, 25, 50, 90, 99, 99.9, 99.99, 100])
def test_percentile_is_within_a_bin_of_that_of_the_values(values, percentile):
    expected = np.percentile(np.abs(values), percentile, method="inverted_cdf")
    width = np.abs(values).max() / BINS
    assert abs(threshold_of(seen(values), "percentile", percentile) - expected) <= width * (1 + 1e-6)


def test_percentile_is_linear_inside_of_a_bin():
    statistics = Statistics(1, 0.0, 4.0, histogram=[2, 0, 8, 0], range=4.0)
    assert threshold_of(statistics, "percentile", 60) == pytest.approx(2.5)
    assert threshold_of(statistics, "percentile", 20) == pytest.approx(1.0)
    assert threshold_of(statistics, "percentile", 10) == pytest.approx(0.5)


@patient
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=40), st.floats(0.001, 100), st.floats(0.001, 100))
def test_percentile_grows_with_the_share(histogram, one, other):
    statistics = Statistics(1, 0.0, 1.0, histogram=histogram, range=1.0)
    low, high = (threshold_of(statistics, "percentile", each) for each in sorted((one, other)))
    assert low <= high * (1 + 1e-12)


def test_percentile_100_saturates_nothing():
    assert threshold_of(seen(SAMPLES["laplace"]), "percentile", 100) == pytest.approx(np.abs(SAMPLES["laplace"]).max())


def test_range_beyond_the_values_does_not_matter_beyond_a_bin():
    statistics = Statistics(1, -1.0, 0.7, histogram=[10] * 1025 + [0] * 1023, range=2.0)
    assert threshold_of(statistics, "percentile", 100) == 1.0


# Kullback-Leibler divergence.


def divergence(counts, kept, levels):
    """KL(P || Q) as the formula says it, bin by bin."""
    p = list(counts[:kept])
    p[-1] += sum(counts[kept:])
    merged = [[] for _ in range(levels)]
    for bin in range(kept):
        if counts[bin] > 0:
            merged[bin * levels // kept].append(bin)
    q = [0.0] * kept
    for bins in merged:
        for bin in bins:
            q[bin] = sum(counts[each] for each in bins) / len(bins)
    total, inside = sum(p), sum(q) or 1
    q = [(1 - 1e-4) * value / inside + 1e-4 / kept for value in q]
    return sum(value / total * math.log(value / total / other) for value, other in zip(p, q, strict=True) if value)


HISTOGRAMS = st.lists(st.integers(0, 3) | st.integers(0, 10**6), min_size=9, max_size=60).filter(any)


@patient
@given(HISTOGRAMS, st.integers(1, 8))
def test_divergences_are_those_of_the_formula(histogram, levels):
    found = _divergences(_counts(Statistics(histogram=histogram)), levels)
    expected = [divergence(histogram, kept, levels) for kept in range(levels, len(histogram) + 1)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["normal", "relu", "laplace", "outlier", "relu and outlier", "few", "two far values"])
def test_kl_threshold_has_the_smallest_divergence(name):
    bins, statistics = 400, seen(SAMPLES[name], bins=400)
    counts = [statistics.histogram[1], *statistics.histogram[1:]]
    levels = 256 if min(SAMPLES[name]) >= 0 else 128
    all_of_them = [divergence(counts, kept, levels) for kept in range(levels, bins + 1)]
    kept = threshold_of(statistics, "kl") / statistics.range * bins
    assert kept == pytest.approx(round(kept))
    assert all_of_them[round(kept) - levels] == pytest.approx(min(all_of_them), abs=1e-9)


def test_kl_takes_the_largest_of_equal_thresholds():
    statistics = Statistics(1, -1.0, 1.0, histogram=[1] * 200 + [0] * 100, range=1.0)
    flat = Statistics(1, -1.0, 1.0, histogram=[1] * 300, range=1.0)
    assert threshold_of(flat, "kl") == 1.0
    assert threshold_of(statistics, "kl") == pytest.approx(200 / 300)


@pytest.mark.parametrize(("minimum", "levels"), [(-1.0, 128), (0.0, 256)], ids=["int8", "uint8"])
def test_kl_counts_the_levels_of_the_type(minimum, levels):
    # As many bins as levels lose nothing but the outlier; one more, and two different bins merge.
    counts = rng.integers(1000, 9000, size=levels).tolist() + [0] * (BINS - levels - 1) + [1]
    statistics = Statistics(1, minimum, 1.0, histogram=counts, range=1.0)
    assert threshold_of(statistics, "kl") == pytest.approx(levels / BINS)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_zeros_do_not_decide_the_kl_threshold(share):
    values = np.abs(SAMPLES["normal"])
    zeros = np.zeros(int(len(values) * share / (1 - share)))
    assert threshold_of(seen(np.append(values, zeros)), "kl") == threshold_of(seen(values), "kl")


def test_kl_cuts_an_outlier_off_and_loses_less():
    values = np.append(rng.normal(size=200_000), 30.0)
    statistics = seen(values)
    assert threshold_of(statistics, "kl") < 10
    assert snr(values[:-1], *scale_of(statistics, "kl")) > snr(values[:-1], *scale_of(statistics, "min_max")) + 10


@pytest.mark.parametrize("name", ["normal", "uniform", "relu", "laplace"])
def test_kl_is_about_as_good_as_the_best_threshold(name):
    values, statistics = SAMPLES[name], seen(SAMPLES[name])
    _, uint8 = scale_of(statistics, "kl")
    steps = 255 if uint8 else 127
    best = max(snr(values, steps / (statistics.range * share), uint8) for share in np.linspace(0.05, 1, 96))
    assert snr(values, *scale_of(statistics, "kl")) > best - 1.5  # dB; divergence is not the mean square


def test_kl_is_fast_enough_for_hundreds_of_tensors():
    statistics = seen(SAMPLES["normal"])
    durations = []
    for _ in range(5):
        start = time.perf_counter()
        scale_of(statistics, "kl")
        durations.append(time.perf_counter() - start)
    assert min(durations) < 2  # 5 ms alone, 100 beside other work; bin by bin it would be a minute


# Nothing is changed by looking.


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_statistics_are_left_alone(algorithm):
    statistics = seen(SAMPLES["relu"])
    before = list(statistics.histogram)
    assert scale_of(statistics, algorithm) == scale_of(statistics, algorithm)
    assert statistics.histogram == before


def test_algorithms_are_those_of_a_recipe():
    schema = json.loads((Path(torch_ipex_device.__file__).parent / "int8" / "recipe.schema.json").read_text())
    assert schema["items"]["properties"]["algorithm"]["enum"] == ALGORITHMS


def test_worked_example_of_the_page_is_right():
    page = (Path(__file__).resolve().parents[2] / "docs" / "int8_recipe.md").read_text()
    steps = dict(
        line.strip("| ").split(" | ") for line in page.split("## A worked example")[1].splitlines() if " | " in line
    )
    assert scale_of(seen([0.0, 2.0]), "min_max") == (127.5, True)
    assert scale_of(seen([-1.27, 0.9]), "min_max") == (pytest.approx(100), False)

    x, bias = np.array([0.5, 2.0, 0.75, 0.0]), np.array([0.05, -0.3, 0.2])
    weight = np.array([[0.4, -0.8, 0.1, 0.3], [1.0, 0.25, -2.0, 0.5], [0, 0, 0, 0]])
    weight_scale = np.array([scale_of(seen([*row, -max(abs(row))]), "min_max")[0] for row in weight])
    quantized = np.round(weight * weight_scale[:, None])
    accumulator = quantized @ np.round(x * 127.5)
    result = accumulator / (127.5 * weight_scale) + bias
    expected = {
        "input": x * 127.5,
        "scales": weight_scale,
        "channel 0": weight[0] * weight_scale[0],
        "rounded, 63.5": quantized[0],
        "channel 1": weight[1] * weight_scale[1],
        "accumulators": accumulator,
        "divided": accumulator / (127.5 * weight_scale),
        "plus bias": result,
        "float32": weight @ x + bias,
        "an operator": result * 100,
        "which": np.round(result * 100) / 100,
    }
    for start, values in expected.items():
        (shown,) = (numbers for step, numbers in steps.items() if step.startswith(start))
        np.testing.assert_allclose([float(number) for number in shown.split(", ")], values, rtol=0, atol=6e-4)

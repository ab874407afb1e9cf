"""Pooling of int8 values against the reference: maxima are exact, means are exact sums that are rounded once."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from .running import Program, check, values

POOLS_2D = {
    "max": lambda x: F.max_pool2d(x, 2),
    "max, overlapping": lambda x: F.max_pool2d(x, 3, 2, 1),
    "max, ceil": lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True),
    "max, ceil, padded": lambda x: F.max_pool2d(x, (2, 3), (2, 3), (1, 0), ceil_mode=True),
    "max, dilated": lambda x: F.max_pool2d(x, 2, 1, 0, (2, 3)),
    "max, dilated, padded": lambda x: F.max_pool2d(x, 3, 2, 1, 2),
    "max, one pixel": lambda x: F.max_pool2d(x, 1),
    "average": lambda x: F.avg_pool2d(x, 2),
    "average, overlapping": lambda x: F.avg_pool2d(x, 3, 2),
    "average, padding counts": lambda x: F.avg_pool2d(x, 3, 2, 1),
    "average, padding does not count": lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    "average, ceil": lambda x: F.avg_pool2d(x, 3, 2, ceil_mode=True),
    "average, ceil, padding counts": lambda x: F.avg_pool2d(x, (3, 4), 3, (1, 2), ceil_mode=True),
    "average, ceil, padding does not count": lambda x: F.avg_pool2d(
        x, 4, 3, 2, ceil_mode=True, count_include_pad=False
    ),
    "average, divisor": lambda x: F.avg_pool2d(x, 3, 2, 1, divisor_override=5),
    "average, divisor 1": lambda x: F.avg_pool2d(x, 2, divisor_override=1),
    "average, all": lambda x: F.avg_pool2d(x, x.shape[2:]),
    "adaptive average, divisible": lambda x: F.adaptive_avg_pool2d(x, (4, 5)),
    "adaptive average, not divisible": lambda x: F.adaptive_avg_pool2d(x, (3, 7)),
    "adaptive average, larger": lambda x: F.adaptive_avg_pool2d(x, (11, 13)),
    "adaptive average, one": lambda x: F.adaptive_avg_pool2d(x, 1),
    "adaptive average, a column": lambda x: F.adaptive_avg_pool2d(x, (None, 1)),
    "adaptive max, divisible": lambda x: F.adaptive_max_pool2d(x, (4, 2)),
    "adaptive max, not divisible": lambda x: F.adaptive_max_pool2d(x, (3, 7)),
    "adaptive max, one": lambda x: F.adaptive_max_pool2d(x, 1),
    "mean": lambda x: x.mean((2, 3), keepdim=True),
    "mean, from the end": lambda x: x.mean([-1, -2], keepdim=True),
}
POOLS_3D = {
    "max": lambda x: F.max_pool3d(x, 2),
    "max, overlapping": lambda x: F.max_pool3d(x, 3, 2, 1),
    "max, ceil": lambda x: F.max_pool3d(x, (1, 3, 2), (1, 2, 3), ceil_mode=True),
    "max, dilated": lambda x: F.max_pool3d(x, 2, 1, 0, (1, 2, 2)),
    "average": lambda x: F.avg_pool3d(x, 2),
    "average, padding counts": lambda x: F.avg_pool3d(x, 3, 2, 1),
    "average, padding does not count": lambda x: F.avg_pool3d(x, (1, 3, 3), 2, (0, 1, 1), count_include_pad=False),
    "average, ceil": lambda x: F.avg_pool3d(x, 2, 3, 1, ceil_mode=True),
    "average, divisor": lambda x: F.avg_pool3d(x, 2, divisor_override=3),
    "adaptive average, divisible": lambda x: F.adaptive_avg_pool3d(x, (2, 3, 1)),
    "adaptive average, not divisible": lambda x: F.adaptive_avg_pool3d(x, (3, 4, 2)),
    "adaptive average, one": lambda x: F.adaptive_avg_pool3d(x, 1),
    "mean": lambda x: x.mean((2, 3, 4), keepdim=True),
}
# Of three properties every pair takes all four values: uint8, batch, channels last.
VARIANTS = [(False, 1, False), (False, 3, True), (True, 1, True), (True, 3, False)]


def name_of(variant):
    uint8, batch, last = variant
    return ", ".join(["uint8" if uint8 else "int8", f"batch {batch}", *(["channels last"] if last else [])])


POOLS = {f"{dims}d, {name}": pool for dims, pools in ((2, POOLS_2D), (3, POOLS_3D)) for name, pool in pools.items()}


def finds_indices(name):
    """Whether a maximum comes with indices, which are those of rounded values, held in float32."""
    return name.startswith(("2d, adaptive max", "3d, max"))


def sizes_of(name):
    return (8, 10) if name.startswith("2d") else (4, 6, 5)


def behind_a_convolution(name, uint8, channels=19):
    def body(m, x):
        x = m.conv(x)
        return POOLS[name](F.relu(x) if uint8 else x)

    torch.manual_seed(0)
    kind = nn.Conv2d if name.startswith("2d") else nn.Conv3d
    return Program(body, conv=kind(channels, channels, 1))


@pytest.mark.parametrize("variant", VARIANTS, ids=name_of)
@pytest.mark.parametrize("name", POOLS)
def test_kinds(name, variant):
    uint8, batch, last = variant
    sizes = sizes_of(name)
    layout = {2: torch.channels_last, 3: torch.channels_last_3d}[len(sizes)] if last else torch.contiguous_format
    make = values(batch, 19, *sizes, uint8=uint8, layout=layout)
    if finds_indices(name):
        check(behind_a_convolution(name, uint8), make)
    else:
        check(Program(lambda m, x: POOLS[name](x)), make, multiplies=False)


# Means of two or four pixels in the same scale are ties.
@pytest.mark.parametrize("name", [name for name in POOLS if name != "2d, adaptive average, larger"])
def test_between_convolutions(name):
    def body(m, x):
        return m.last(POOLS[name](F.relu(m.first(x))))

    torch.manual_seed(0)
    kind = nn.Conv2d if name.startswith("2d") else nn.Conv3d
    check(Program(body, first=kind(3, 9, 3, padding=1), last=kind(9, 4, 1)), values(2, 3, *sizes_of(name)))


@pytest.mark.parametrize("from_uint8", [False, True], ids=["int8", "uint8"])
@pytest.mark.parametrize("to_uint8", [False, True], ids=["to int8", "to uint8"])
@pytest.mark.parametrize("name", ["2d, max", "2d, adaptive max, one", "3d, max"])
def test_maximum_in_another_scale(name, from_uint8, to_uint8):
    def edit(entries):
        entries[-2].outputs_scale, entries[-2].outputs_uint8_used = [17.3], [to_uint8]

    check(behind_a_convolution(name, from_uint8, 5), values(2, 5, *sizes_of(name)), edit)


@pytest.mark.parametrize("name", ["2d, adaptive max, one", "3d, max"])
def test_maximum_with_indices_reads_rounded_values(name):
    check(Program(lambda m, x: POOLS[name](x)), values(2, 5, *sizes_of(name)), multiplies=False)

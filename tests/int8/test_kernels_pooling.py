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
    "average, ceil, padding does not count": lambda x: F.avg_pool2d(x, 4, 3, 2, ceil_mode=True, count_include_pad=False),
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


@pytest.mark.parametrize("variant", VARIANTS, ids=name_of)
@pytest.mark.parametrize("name", POOLS_2D)
def test_images(name, variant):
    uint8, batch, last = variant
    pool = POOLS_2D[name]
    layout = torch.channels_last if last else torch.contiguous_format
    make = values(batch, 19, 8, 10, uint8=uint8, layout=layout)
    check(Program(lambda m, x: pool(x)), make, multiplies=False)


@pytest.mark.parametrize("variant", VARIANTS, ids=name_of)
@pytest.mark.parametrize("name", POOLS_3D)
def test_volumes(name, variant):
    uint8, batch, last = variant
    pool = POOLS_3D[name]
    layout = torch.channels_last_3d if last else torch.contiguous_format
    make = values(batch, 17, 4, 6, 5, uint8=uint8, layout=layout)
    check(Program(lambda m, x: pool(x)), make, multiplies=False)


@pytest.mark.parametrize("name", POOLS_2D)
def test_between_convolutions(name):
    def body(m, x):
        return m.last(POOLS_2D[name](F.relu(m.first(x))))

    torch.manual_seed(0)
    check(Program(body, first=nn.Conv2d(3, 9, 3, padding=1), last=nn.Conv2d(9, 4, 1)), values(2, 3, 8, 10))


@pytest.mark.parametrize("name", POOLS_3D)
def test_between_convolutions_of_volumes(name):
    def body(m, x):
        return m.last(POOLS_3D[name](F.relu(m.first(x))))

    torch.manual_seed(0)
    check(Program(body, first=nn.Conv3d(3, 9, 3, padding=1), last=nn.Conv3d(9, 4, 1)), values(2, 3, 4, 6, 5))


@pytest.mark.parametrize("from_uint8", [False, True], ids=["int8", "uint8"])
@pytest.mark.parametrize("to_uint8", [False, True], ids=["to int8", "to uint8"])
def test_maximum_in_another_scale(from_uint8, to_uint8):
    def edit(entries):
        entries[0].outputs_scale, entries[0].outputs_uint8_used = [17.3], [to_uint8]

    check(Program(lambda m, x: F.max_pool2d(x, 2)), values(2, 5, 8, 8, uint8=from_uint8), edit, multiplies=False)


@pytest.mark.parametrize("pool", [lambda x: F.adaptive_max_pool2d(x, 3), lambda x: F.max_pool2d(x, 2, return_indices=True)[0]])
def test_maximum_with_indices_in_another_scale(pool):
    def edit(entries):
        entries[0].outputs_scale, entries[0].outputs_uint8_used = [17.3], [False]

    check(Program(lambda m, x: pool(x)), values(2, 5, 8, 8), edit, multiplies=False)

"""Convolutions in int8 against the reference: kinds, shapes, types, layouts."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from .running import Program, check, per_tensor, values

# Kind of convolution, its arguments, sizes of an image.
KINDS = {
    "3x3": (nn.Conv2d, (16, 24, 3), {"padding": 1}, (7, 9)),
    "odd channels": (nn.Conv2d, (5, 7, 3), {}, (9, 7)),
    "first layer": (nn.Conv2d, (3, 20, 7), {"stride": 2, "padding": 3}, (17, 17)),
    "one channel": (nn.Conv2d, (1, 4, 3), {}, (8, 8)),
    "to one channel": (nn.Conv2d, (8, 1, 3), {}, (8, 8)),
    "many channels": (nn.Conv2d, (96, 80, 3), {}, (4, 4)),
    "strides": (nn.Conv2d, (8, 12, (3, 5)), {"stride": (2, 3), "padding": (0, 2)}, (9, 11)),
    "padding same": (nn.Conv2d, (8, 12, 3), {"padding": "same", "dilation": 2}, (7, 7)),
    "one pixel": (nn.Conv2d, (8, 12, 3), {"padding": 1}, (1, 1)),
    "1x1": (nn.Conv2d, (19, 33, 1), {}, (5, 5)),
    "1x1, 64 channels": (nn.Conv2d, (64, 64, 1), {}, (3, 3)),
    "1x1, strided": (nn.Conv2d, (16, 16, 1), {"stride": 2}, (7, 7)),
    "1x1, padded": (nn.Conv2d, (6, 10, 1), {"padding": 1}, (4, 4)),
    "depthwise": (nn.Conv2d, (17, 17, 3), {"padding": 1, "groups": 17}, (6, 6)),
    "depthwise, strided": (nn.Conv2d, (32, 32, 5), {"stride": 2, "padding": 2, "groups": 32}, (7, 7)),
    "depthwise, dilated": (nn.Conv2d, (16, 16, 3), {"dilation": 2, "groups": 16}, (8, 8)),
    "depthwise, two outputs": (nn.Conv2d, (6, 12, 3), {"groups": 6}, (6, 6)),
    "grouped": (nn.Conv2d, (12, 18, 3), {"groups": 3, "padding": 1}, (6, 6)),
    "grouped by 16": (nn.Conv2d, (32, 32, 3), {"groups": 2, "padding": 1}, (5, 5)),
    "grouped 1x1": (nn.Conv2d, (24, 16, 1), {"groups": 4}, (5, 5)),
    "dilated": (nn.Conv2d, (8, 12, 3), {"dilation": (2, 3), "padding": 2}, (9, 9)),
    "dilated, strided, grouped": (nn.Conv2d, (8, 12, 3), {"dilation": 2, "stride": 2, "groups": 4}, (11, 11)),
    "1d": (nn.Conv1d, (6, 10, 3), {"padding": 1}, (21,)),
    "1d, strided, dilated": (nn.Conv1d, (16, 16, 5), {"stride": 2, "dilation": 3}, (31,)),
    "1d, depthwise": (nn.Conv1d, (20, 20, 3), {"groups": 20}, (15,)),
    "1d, pointwise": (nn.Conv1d, (9, 32, 1), {}, (15,)),
    "3d": (nn.Conv3d, (3, 8, 3), {"padding": 1}, (4, 5, 6)),
    "3d, strided": (nn.Conv3d, (16, 16, (1, 3, 3)), {"stride": (1, 2, 2), "padding": (0, 1, 1)}, (3, 6, 6)),
    "3d, dilated": (nn.Conv3d, (4, 6, 2), {"dilation": (1, 2, 2)}, (4, 5, 5)),
    "3d, depthwise": (nn.Conv3d, (18, 18, 3), {"padding": 1, "groups": 18}, (3, 4, 4)),
    "3d, grouped": (nn.Conv3d, (8, 12, 3), {"groups": 2}, (4, 4, 4)),
    "3d, pointwise": (nn.Conv3d, (12, 20, 1), {}, (2, 3, 4)),
}
LAST = {1: torch.contiguous_format, 2: torch.channels_last, 3: torch.channels_last_3d}

# Five properties: uint8, one scale for all weights, bias, batch, channels last. A kind of convolution takes four rows.
VARIANTS = [
    (False, False, True, 3, False),
    (False, False, False, 1, True),
    (False, True, False, 1, True),
    (False, True, True, 3, False),
    (True, False, True, 1, True),
    (True, False, False, 3, False),
    (True, True, False, 3, False),
    (True, True, True, 1, True),
]
CASES = [(kind, variant) for number, kind in enumerate(KINDS) for variant in VARIANTS[number % 2 :: 2]]


def name_of(case):
    kind, (uint8, whole, bias, batch, last) = case
    words = (
        kind,
        "uint8" if uint8 else "int8",
        "per tensor" * whole,
        "bias" * bias,
        f"batch {batch}",
        "channels last" * last,
    )
    return ", ".join(word for word in words if word)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_kinds(case):
    kind, (uint8, whole, bias, batch, last) = case
    module, arguments, more, sizes = KINDS[kind]
    torch.manual_seed(0)
    conv = module(*arguments, bias=bias, **more)
    layout = LAST[len(sizes)] if last else torch.contiguous_format
    make = values(batch, conv.in_channels, *sizes, uint8=uint8, layout=layout)
    check(Program(lambda m, x: m.conv(x), conv=conv), make, per_tensor if whole else None)


def test_one_image_without_a_batch():
    torch.manual_seed(0)
    check(Program(lambda m, x: m.conv(x), conv=nn.Conv2d(6, 9, 3)), values(6, 8, 8))


def test_a_part_of_a_tensor_with_gaps():
    torch.manual_seed(0)
    check(Program(lambda m, x: m.conv(x[:, 1:7, ::2]), conv=nn.Conv2d(6, 9, 3)), values(2, 8, 12, 8))


def test_weights_with_other_strides():
    def body(m, x):
        return F.conv2d(x, m.conv.weight.transpose(2, 3), m.conv.bias)

    torch.manual_seed(0)
    check(Program(body, conv=nn.Conv2d(6, 9, 3)), values(2, 6, 8, 8))


def test_transposed_convolution_computes_in_float32():
    def body(m, x):
        return m.last(m.between(m.first(x)))

    torch.manual_seed(0)
    layers = {
        "first": nn.Conv2d(6, 9, 3),
        "between": nn.ConvTranspose2d(9, 8, 2, stride=2),
        "last": nn.Conv2d(8, 4, 1),
    }
    check(Program(body, **layers), values(2, 6, 8, 8))

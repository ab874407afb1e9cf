"""Splitting float32 into bfloat16 and 16 bits loses nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from torch_ipex_device.optim import cat_bfloat16_float, split_float_bfloat16


def numbers() -> Tensor:
    torch.manual_seed(0)
    special = [0.0, -0.0, 3.4e38, -3.4e38, 1e-45, -1e-45, float("inf"), -float("inf"), 1 + 2**-8, 1 + 3 * 2**-8]
    return torch.cat([torch.randn(1000) * 10.0**e for e in range(-38, 37, 4)] + [torch.tensor(special)])


def from_bits(*bits: int) -> Tensor:
    return torch.tensor(bits, dtype=torch.int64).to(torch.int32).view(torch.float32)


@pytest.mark.parametrize("device", ["cpu", "ipex"])
def test_joining_is_the_exact_inverse(device: str) -> None:
    value = numbers()
    top, bits = split_float_bfloat16(value.to(device))
    assert (top.dtype, bits.dtype) == (torch.bfloat16, torch.int16)
    assert torch.equal(cat_bfloat16_float(top, bits).cpu().view(torch.int32), value.view(torch.int32))


def test_every_pattern_of_the_lower_bits_comes_back() -> None:
    value = (torch.arange(2**16, dtype=torch.int32) + (0x3F80 << 16)).view(torch.float32)
    assert torch.equal(cat_bfloat16_float(*split_float_bfloat16(value)), value)


def test_top_is_the_nearest_bfloat16_number() -> None:
    value = numbers()
    top, nearest = split_float_bfloat16(value)[0], value.bfloat16()
    finite = value.isfinite() & nearest.isfinite()
    assert torch.equal(top.isinf(), nearest.isinf())
    distance = (top.double() - value.double()).abs()
    assert (distance <= (nearest.double() - value.double()).abs())[finite].all()


def test_halves_round_away_from_zero() -> None:
    half = torch.tensor([1 + 2**-8, -1 - 2**-8, 1 + 3 * 2**-8])
    assert split_float_bfloat16(half)[0].tolist() == [1 + 2**-7, -1 - 2**-7, 1 + 2**-6]


@pytest.mark.parametrize("pattern", [0x7FC00000, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFC00000, 0x7F800001, 0xFF800001])
def test_nan_stays_nan_on_both_ways(pattern: int) -> None:
    top, bits = split_float_bfloat16(torch.cat([from_bits(pattern), torch.ones(1)]))
    assert top.isnan().tolist() == [True, False]
    assert cat_bfloat16_float(top, bits).isnan().tolist() == [True, False]


@pytest.mark.parametrize("written", [0.0, -0.0, 1.0, float("inf"), -3.0])
def test_numbers_written_into_the_top_are_joined_as_such(written: float) -> None:
    top, bits = split_float_bfloat16(torch.linspace(-2, 2, 1001))
    joined = cat_bfloat16_float(top.fill_(written), bits)
    assert not joined.isnan().any()
    assert torch.equal(joined.bfloat16().nan_to_num(), top.nan_to_num()) or written == float("inf")


def test_strides_are_kept() -> None:
    value = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    top, bits = split_float_bfloat16(value)
    assert top.stride() == bits.stride() == cat_bfloat16_float(top, bits).stride() == value.stride()


@pytest.mark.parametrize("shape", [(), (0,), (3, 0)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    value = torch.rand(shape)
    assert torch.equal(cat_bfloat16_float(*split_float_bfloat16(value)), value)


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(TypeError, match=r"E101 got torch\.float64"):
        split_float_bfloat16(torch.ones(1, dtype=torch.float64))
    with pytest.raises(TypeError, match=r"E101 got torch\.bfloat16, torch\.int32"):
        cat_bfloat16_float(torch.ones(1).bfloat16(), torch.ones(1, dtype=torch.int32))
    with pytest.raises(ValueError, match="E103 got bits of"):
        cat_bfloat16_float(torch.ones(1).bfloat16(), torch.ones(2, dtype=torch.int16))

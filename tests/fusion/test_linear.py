"""What joins a linear layer: values as in float64, one product, whatever kernel runs it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import torch_ipex_device as ipex

from .nets import DEVICE, assert_close, exact, is_open, on_device
from .test_epilogues import IN_PLACE, UNARY, primitives


def layer(rows: int, inputs: int = 256, outputs: int = 192, bias: bool = True) -> tuple[nn.Linear, torch.Tensor]:
    """Returns a linear layer and an input on the CPU; the input is larger than what would be too small to be watched."""
    torch.manual_seed(0)
    return nn.Linear(inputs, outputs, bias=bias).eval().requires_grad_(False), torch.randn(rows, inputs)


# Our own loops serve many rows on AVX2, oneDNN's inner product the rest; 197 rows are padded there.
@pytest.mark.parametrize("rows", [64, 128, 197])
@pytest.mark.parametrize("name", [*UNARY, *IN_PLACE])
def test_unary(name, rows):
    function = {**UNARY, **IN_PLACE}[name]
    linear, x = layer(rows)
    on_ipex, input = on_device(linear), x.to(DEVICE)
    with ipex.explain() as explanation:
        y = function(on_ipex(input))
        assert is_open(y)
        before = torch.ipex.fusion_stats()
        values = y.cpu()
    after = torch.ipex.fusion_stats()
    assert (after.fused - before.fused, after.applied - before.applied) == (1, 0)
    assert len(primitives(explanation)) == 1
    assert_close(values, function(exact(linear)(exact(x))))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("rows", [64, 128, 197])
def test_sum_with_a_shortcut(rows, bias):
    linear, x = layer(rows, bias=bias)
    residual = torch.randn(rows, 192)
    on_ipex, other = on_device(linear), residual.to(DEVICE)
    y = F.gelu(on_ipex(x.to(DEVICE)) + other)
    assert is_open(y)
    assert_close(y, F.gelu(exact(linear)(exact(x)) + exact(residual)))
    assert torch.equal(other.cpu(), residual)


@pytest.mark.parametrize("outputs", [1, 15, 17, 100, 1000])
def test_odd_widths(outputs):
    linear, x = layer(128, 512, outputs)
    residual = torch.randn(128, outputs)
    y = torch.tanh(on_device(linear)(x.to(DEVICE)) * 0.5 + residual.to(DEVICE))
    assert_close(y, torch.tanh(exact(linear)(exact(x)) * 0.5 + exact(residual)))


def test_batch_norm_of_features():
    linear, x = layer(128)
    norm = nn.BatchNorm1d(192).eval().requires_grad_(False)
    torch.nn.init.normal_(norm.running_mean)
    y = F.relu(on_device(norm)(on_device(linear)(x.to(DEVICE))))
    assert is_open(y)
    assert_close(y, F.relu(exact(norm)(exact(linear)(exact(x)))))


def test_three_dimensions_and_views():
    linear, x = layer(128)
    x = x.view(4, 32, 256)
    y = F.gelu(on_device(linear)(x.to(DEVICE)))
    assert is_open(y) and y.shape == (4, 32, 192)
    heads = y.view(4, 32, 6, 32).transpose(1, 2)
    assert_close(heads, F.gelu(exact(linear)(exact(x))).view(4, 32, 6, 32).transpose(1, 2))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 3e38])
@pytest.mark.parametrize("rows", [64, 128, 197])
@pytest.mark.parametrize("name", ["relu", "gelu", "silu", "hardswish", "clamp"])
def test_hostile_values(name, rows, value):
    linear, x = layer(rows)
    x[3, 5] = value
    on_ipex, input = on_device(linear), x.to(DEVICE)
    actual = UNARY[name](on_ipex(input)).cpu()
    torch.ipex.set_eager_fusion(False)
    torch.testing.assert_close(actual, UNARY[name](on_ipex(input)).cpu(), rtol=1e-5, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("what", ["input", "weight", "bias", "residual"])
def test_written_before_the_values_are_read(what):
    linear, x = layer(128)
    residual = torch.randn(128, 192)
    expected = exact(linear)(exact(x)) + exact(residual)
    on_ipex, input, other = on_device(linear), x.to(DEVICE), residual.to(DEVICE)
    y = on_ipex(input)
    y += other
    assert is_open(y)
    {"input": input, "weight": on_ipex.weight, "bias": on_ipex.bias, "residual": other}[what].fill_(9)
    assert_close(y, expected)
    again = on_ipex(input) + other
    assert_close(again, exact(on_ipex)(exact(input)) + exact(other))

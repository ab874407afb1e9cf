"""What joins a convolution: values as in float64, one primitive, nothing beside it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import torch_ipex_device as ipex

from .nets import DEVICE, assert_close, batch_norm, convolution, exact, image, is_open, on_device

UNARY = {
    "clamp": lambda y: y.clamp(-0.3, 0.7),
    "clamp from": lambda y: y.clamp(min=0.1),
    "clamp to": lambda y: y.clamp(max=0.1),
    "gelu": lambda y: F.gelu(y),
    "gelu tanh": lambda y: F.gelu(y, approximate="tanh"),
    "hardsigmoid": lambda y: F.hardsigmoid(y),
    "hardswish": lambda y: F.hardswish(y),
    "leaky_relu": lambda y: F.leaky_relu(y, 0.1),
    "relu": lambda y: F.relu(y),
    "relu6": lambda y: F.relu6(y),
    "sigmoid": lambda y: torch.sigmoid(y),
    "silu": lambda y: F.silu(y),
    "tanh": lambda y: torch.tanh(y),
    "add number": lambda y: y + 1.5,
    "mul number": lambda y: y * 1.5,
    "sub number": lambda y: y - 1.5,
    "add alpha": lambda y: torch.add(y, 2.0, alpha=3),
}
IN_PLACE = {
    "clamp_": lambda y: y.clamp_(-0.3, 0.7),
    "hardswish_": lambda y: F.hardswish(y, inplace=True),
    "leaky_relu_": lambda y: F.leaky_relu_(y, 0.1),
    "relu_": lambda y: y.relu_(),
    "sigmoid_": lambda y: y.sigmoid_(),
    "silu_": lambda y: F.silu(y, inplace=True),
    "tanh_": lambda y: y.tanh_(),
    "add_ number": lambda y: y.add_(1.5),
    "mul_ number": lambda y: y.mul_(1.5),
}
BINARY = {
    "add": lambda y, r: y + r,
    "add_": lambda y, r: y.add_(r),
    "reversed add": lambda y, r: r + y,
    "mul": lambda y, r: y * r,
    "mul_": lambda y, r: y.mul_(r),
    "add alpha": lambda y, r: torch.add(y, r, alpha=-2),
}


def primitives(explanation: ipex.explain) -> list[str]:
    """Returns the names of the chains that ran, "convolution+relu"."""
    return [row.operator for row in explanation.rows if row.path == "native" and not row.operator.startswith("aten::")]


@pytest.mark.parametrize("name", [*UNARY, *IN_PLACE])
def test_unary(name):
    function = {**UNARY, **IN_PLACE}[name]
    conv, x = convolution(), image()
    with ipex.explain() as explanation:
        y = function(on_device(conv)(x.to(DEVICE)))
        assert is_open(y)
        before = torch.ipex.fusion_stats()
        values = y.cpu()
    after = torch.ipex.fusion_stats()
    assert (after.fused - before.fused, after.applied - before.applied) == (1, 0)
    assert not is_open(y)
    assert len(primitives(explanation)) == 1
    assert not any(row.path == "fallback" for row in explanation.rows)
    assert_close(values, function(exact(conv)(exact(x))))


@pytest.mark.parametrize("name", BINARY)
def test_binary(name):
    function = BINARY[name]
    conv, x, r = convolution(), image(), image(32, seed=3)
    residual = r.to(DEVICE)
    y = function(on_device(conv)(x.to(DEVICE)), residual)
    assert is_open(y)
    assert_close(y, function(exact(conv)(exact(x)), exact(r)))
    assert torch.equal(residual.cpu(), r)


@pytest.mark.parametrize("layout", ["contiguous", "channels last"])
@pytest.mark.parametrize("bias", [False, True])
def test_block_with_shortcut_is_two_primitives(layout, bias):
    conv, shortcut = convolution(bias=bias), nn.Conv2d(16, 32, 1, bias=bias).eval().requires_grad_(False)
    norm, other_norm, x = batch_norm(), batch_norm(seed=5), image()
    format = torch.channels_last if layout == "channels last" else torch.contiguous_format

    def block(conv, norm, shortcut, other_norm, x):
        out = norm(conv(x))
        identity = other_norm(shortcut(x))
        out += identity
        return F.relu(out, inplace=True)

    with ipex.explain() as explanation:
        y = block(*map(on_device, (conv, norm, shortcut, other_norm)), x.to(DEVICE, memory_format=format))
        assert is_open(y)
        values = y.cpu()
    expected = block(*map(exact, (conv, norm, shortcut, other_norm)), exact(x).contiguous(memory_format=format))
    assert values.stride() == expected.stride()
    assert_close(values, expected)
    assert sorted(primitives(explanation)) == ["convolution+batch_norm", "convolution+batch_norm+add+relu"]


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 8, 16])
@pytest.mark.parametrize("transposed", [False, True])
def test_kinds_of_convolution(rank, groups, transposed):
    torch.manual_seed(0)
    kind = getattr(nn, f"Conv{'Transpose' if transposed else ''}{rank}d")
    conv = kind(16, 32, 3, stride=2, padding=1, groups=groups).eval().requires_grad_(False)
    norm = getattr(nn, f"BatchNorm{rank}d")(32).eval().requires_grad_(False)
    norm.running_mean.normal_()
    x = torch.randn(2, 16, *[9] * rank)
    y = F.relu(on_device(norm)(on_device(conv)(x.to(DEVICE))))
    assert is_open(y)
    assert_close(y, F.relu(exact(norm)(exact(conv)(exact(x)))))


def test_clamp_to_an_empty_range():
    conv, x = convolution(), image()
    y = on_device(conv)(x.to(DEVICE)).clamp(0.5, -0.5)
    assert_close(y, exact(conv)(exact(x)).clamp(0.5, -0.5))


def test_eight_post_ops_and_more():
    conv, x = convolution(), image()
    y, expected = on_device(conv)(x.to(DEVICE)), exact(conv)(exact(x))
    for step in range(20):
        y, expected = (y.tanh(), expected.tanh()) if step % 2 else (y * 1.25, expected * 1.25)
    assert_close(y, expected)


def test_with_gradients_nothing_is_open():
    conv, x = convolution().requires_grad_(), image()
    with torch.enable_grad():
        assert not is_open(on_device(conv)(x.to(DEVICE)))
        assert not is_open(on_device(conv.requires_grad_(False))(x.to(DEVICE).requires_grad_()))
        assert is_open(on_device(conv)(x.to(DEVICE)))


def test_off():
    torch.ipex.set_eager_fusion(False)
    assert not torch.ipex.eager_fusion()
    conv, x = convolution(), image()
    y = on_device(conv)(x.to(DEVICE))
    assert not is_open(y)
    assert_close(y, exact(conv)(exact(x)))


def test_turning_off_computes_what_is_open():
    y = on_device(convolution())(image().to(DEVICE))
    assert is_open(y)
    torch.ipex.set_eager_fusion(False)
    assert not is_open(y)


def test_only_a_bool_turns_it():
    with pytest.raises(ValueError, match=r"set_eager_fusion.*E103.*'no'"):
        torch.ipex.set_eager_fusion("no")  # type: ignore[arg-type]
    assert torch.ipex.eager_fusion()

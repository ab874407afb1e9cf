"""NaN, infinities and huge values come through epilogues as through operators of their own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import torch_ipex_device as ipex

from .nets import DEVICE, convolution, image, on_device
from .test_epilogues import IN_PLACE, UNARY

NAN, INFINITY = float("nan"), float("inf")


def unfused(function):
    torch.ipex.set_eager_fusion(False)
    try:
        return function().cpu()
    finally:
        torch.ipex.set_eager_fusion(True)


@pytest.mark.parametrize("value", [NAN, INFINITY, -INFINITY, 3e38, -3e38, 1e30, 1e-45])
@pytest.mark.parametrize("name", [*UNARY, *IN_PLACE])
def test_hostile_input(name, value):
    function = {**UNARY, **IN_PLACE}[name]
    conv, x = on_device(convolution()), image()
    x[0, 3, 5, 5] = value
    x = x.to(DEVICE)
    torch.testing.assert_close(
        function(conv(x)).cpu(), unfused(lambda: function(conv(x))), rtol=1e-5, atol=1e-6, equal_nan=True
    )


@pytest.mark.parametrize("value", [NAN, INFINITY, -INFINITY, 3e38])
@pytest.mark.parametrize("where", ["weight", "bias", "residual"])
def test_hostile_operands(where, value):
    conv, x, residual = convolution(), image().to(DEVICE), image(32, seed=3)
    {"weight": conv.weight, "bias": conv.bias, "residual": residual}[where].view(-1)[7] = value
    conv, residual = on_device(conv), residual.to(DEVICE)
    assert not torch.isfinite(conv(x) + residual).all() or value == 3e38

    def program():
        return F.relu(conv(x) + residual)

    torch.testing.assert_close(program().cpu(), unfused(program), rtol=1e-5, atol=1e-6, equal_nan=True)


def test_nan_that_is_written_after_the_magnitudes_are_known():
    conv, following = on_device(convolution()), on_device(convolution(32, 32))
    y = F.relu(conv(image().to(DEVICE)))
    assert torch.isfinite(F.relu(following(y))).all()
    y[0, 0, 0, 0] = NAN
    z = F.relu(following(y))
    assert z.isnan().any()
    assert torch.equal(z.isnan().cpu(), unfused(lambda: F.relu(following(y))).isnan())


@pytest.mark.parametrize("between", ["sigmoid", "tanh", "clamp", "hardsigmoid", "relu"])
def test_nan_of_a_layer_reaches_the_layer_after_the_next(between):
    conv, following, x = on_device(convolution()), on_device(convolution(32, 32)), image()
    x[0, 3, 5, 5] = NAN

    def program():
        return F.relu(following(UNARY[between](conv(x.to(DEVICE)))))

    assert program().isnan().any()
    torch.testing.assert_close(program().cpu(), unfused(program), rtol=1e-5, atol=1e-6, equal_nan=True)


def test_sums_that_overflow_between_finite_values():
    conv, x = convolution(bias=False), image()
    conv.weight.fill_(3e38)
    x.fill_(1).view(-1)[::2] = -1
    conv, x = on_device(conv), x.to(DEVICE)
    fused = F.relu(conv(x)).cpu()
    torch.testing.assert_close(fused, unfused(lambda: F.relu(conv(x))), equal_nan=True)


def test_deep_chains_are_proven_finite():
    """Bounds grow by orders of magnitude a layer; looking at the values again keeps the proof alive."""
    layers = [on_device(convolution(32, 32, seed=seed)) for seed in range(40)]
    x = image(32).to(DEVICE)
    before = torch.ipex.fusion_stats()
    for conv in layers:
        x = F.relu(conv(x))
    assert torch.isfinite(x.cpu()).all()
    after = torch.ipex.fusion_stats()
    assert (after.fused - before.fused, after.applied - before.applied) == (40, 0)


def test_explain_tells_what_was_not_fused():
    conv, x = on_device(convolution()), image()
    x[0, 0, 0, 0] = NAN
    x = x.to(DEVICE)
    before = torch.ipex.fusion_stats()
    with ipex.explain() as explanation:
        F.relu(conv(x)).cpu()
    after = torch.ipex.fusion_stats()
    assert (after.fused - before.fused, after.applied - before.applied) == (0, 1)
    assert [row.operator for row in explanation.rows if row.path == "native"] == ["convolution+relu"]

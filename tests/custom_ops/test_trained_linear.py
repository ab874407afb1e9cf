"""linear with weights that are trained: results and gradients of stock PyTorch in float64, and no packed copies."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import torch_ipex_device as ipex

from .cases import DEVICES, OPS, assert_close, numbers

SHAPES = [(), (1,), (5,), (197,), (2, 3), (0,), (2, 0), (2, 3, 4)]
WIDTHS = [(64, 32), (33, 17), (1, 1), (256, 192), (0, 4), (4, 0)]
TENSORS = ("input", "weight", "bias")


def arguments(shape: tuple[int, ...], inputs: int, outputs: int) -> list[Tensor]:
    return [numbers(*shape, inputs), numbers(outputs, inputs, seed=1), numbers(outputs, seed=2)]


def trained(op, tensors: list[Tensor], wanted: tuple[str, ...], dtype: torch.dtype, device: str) -> list[Tensor]:
    """Returns the result and the gradients of a call."""
    leaves = [
        t.to(dtype).to(device).clone().requires_grad_(name in wanted) for name, t in zip(TENSORS, tensors, strict=False)
    ]
    result = op(*leaves)
    weights = torch.linspace(-1, 1, result.numel(), dtype=torch.float64).view(result.shape).to(dtype).to(device)
    (result * weights).sum().backward()
    return [result.detach(), *(leaf.grad for leaf in leaves if leaf.requires_grad)]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("inputs", "outputs"), WIDTHS)
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(shape, inputs, outputs, device):
    tensors = arguments(shape, inputs, outputs)
    for given in (tensors, tensors[:2]):
        for dtype in (torch.float32, torch.bfloat16, torch.float64):
            exact = [t.to(dtype) for t in given]
            actual = trained(OPS.linear, given, TENSORS, dtype, device)
            expected = trained(F.linear, exact, TENSORS, torch.float64, "cpu")
            assert [t.shape for t in actual] == [t.shape for t in expected]
            assert all(t.is_contiguous() for t in actual)
            for ours, stocks in zip(actual, expected, strict=True):
                assert_close(ours, stocks)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("wanted", [("input",), ("weight",), ("bias",), ("weight", "bias"), ("input", "bias")], ids=str)
def test_some_gradients(wanted, device):
    tensors = arguments((70,), 64, 32)
    expected = trained(F.linear, tensors, wanted, torch.float64, "cpu")
    for ours, stocks in zip(trained(OPS.linear, tensors, wanted, torch.float32, device), expected, strict=True):
        assert_close(ours, stocks)


def test_gradients_of_gradients():
    x, w, b = (t.double().requires_grad_() for t in arguments((4, 3), 5, 2))
    torch.autograd.gradcheck(OPS.linear, (x, w, b))
    torch.autograd.gradgradcheck(OPS.linear, (x, w, b))


@pytest.mark.parametrize("shape", [(3, 4, 5), (4,)], ids=str)
def test_errors_are_those_of_linear(shape):
    x, w = numbers(2, 5), numbers(*shape)
    with pytest.raises(RuntimeError) as expected:
        F.linear(x, w, numbers(3))
    with pytest.raises(RuntimeError) as actual:
        OPS.linear(x, w.requires_grad_(), numbers(3))
    assert str(actual.value) == str(expected.value)


def packs(step) -> int:
    step()
    ipex._C.reset_form_statistics()
    step()
    return ipex._C.form_statistics()["packs"]


def test_weights_that_a_step_writes_are_not_packed():
    """A copy would serve one product. Weights that stay are packed, for both directions."""
    first, fixed, last = (numbers(256, 256, seed=seed).to("ipex") for seed in (1, 2, 3))
    trained = [weight.requires_grad_() for weight in (first, last)]

    def step() -> None:
        x = numbers(64, 256).to("ipex")
        OPS.linear(OPS.linear(OPS.linear(x, first), fixed), last).sum().backward()
        with torch.no_grad():
            for weight in trained:
                weight.sub_(weight.grad, alpha=0.01)

    assert packs(step) == 0
    assert len(torch.ipex.physical_form(fixed).packed) == 2
    assert not any(torch.ipex.physical_form(weight).packed for weight in trained)

"""When products keep their weights packed, and that a packed copy never outlives a write."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from torch_ipex_device import _C

from .calls import IPEX

SRC, WEIGHT, BIAS = torch.randn(40, 64), torch.randn(96, 64), torch.randn(96)

PRODUCTS = {
    "mm": lambda x, w, b: x @ w.t() + b,
    "addmm": lambda x, w, b: torch.addmm(b, x, w.t()),
    "linear": F.linear,
}


def packs():
    return _C.form_statistics()["packs"]


def moved():
    return SRC.to(IPEX), WEIGHT.to(IPEX).requires_grad_(), BIAS.to(IPEX).requires_grad_()


@pytest.mark.parametrize("product", ["mm", "addmm", "linear"])
def test_weights_are_packed_at_the_second_use_since_a_write(product):
    src, weight, bias = moved()
    call = PRODUCTS[product]
    expected = call(SRC, WEIGHT, BIAS)
    _C.reset_form_statistics()
    for wanted in (0, 1, 1):
        assert_close(call(src, weight, bias).cpu(), expected, rtol=1e-4, atol=1e-4)
        assert packs() == wanted
    with torch.no_grad():
        weight.mul_(2)
    assert_close(call(src, weight, bias).cpu(), call(SRC, WEIGHT * 2, BIAS), rtol=1e-4, atol=1e-4)
    assert packs() == 1
    call(src, weight, bias)
    assert packs() == 2


def test_linear_packs_at_once_when_no_gradient_is_recorded():
    src, weight, bias = moved()
    _C.reset_form_statistics()
    with torch.no_grad():
        F.linear(src, weight, bias)
    assert packs() == 1


def test_addmm_uses_the_packed_weights_of_linear():
    src, weight, bias = moved()
    with torch.no_grad():
        first = F.linear(src, weight, bias)
        _C.reset_form_statistics()
        second = torch.addmm(bias, src, weight.t())
    statistics = _C.form_statistics()
    assert (statistics["packs"], statistics["packed_hits"]) == (0, 1)
    assert torch.equal(first.cpu(), second.cpu())


@pytest.mark.parametrize("rows", [1, 2, 40])
@pytest.mark.parametrize("by_columns", [False, True])
def test_addmm_into_a_tensor_uses_them_too(by_columns, rows):
    """As programs of TorchInductor call it: the kernel adds the bias, unless the result lies by columns."""
    src, weight, bias = moved()
    out = torch.empty(96, rows, device=IPEX).t() if by_columns else torch.empty(rows, 96, device=IPEX)
    exact = torch.addmm(BIAS.double(), SRC[:rows].double(), WEIGHT.double().t())
    with torch.no_grad():
        first = F.linear(src[:rows], weight, bias)
        _C.reset_form_statistics()
        torch.ipex.reset_fallback_stats()
        assert torch.addmm(bias, src[:rows], weight.t(), out=out) is out
    assert not torch.ipex.fallback_stats()
    assert_close(out.cpu().double(), exact, rtol=1e-5, atol=1e-5)
    if out.stride(1) == 1:
        assert _C.form_statistics()["packed_hits"] == (rows > 2)  # small products look none up
        assert torch.equal(out.cpu(), first.cpu())


def test_training_steps_pack_nothing():
    src, weight, bias = moved()
    _C.reset_form_statistics()
    for _ in range(3):
        F.linear(src, weight, bias).square().sum().backward()
        torch.optim.SGD([weight, bias], 1e-3).step()
    assert packs() == 0


def test_part_of_a_storage_is_not_packed():
    src, weight, bias = moved()
    _C.reset_form_statistics()
    with torch.no_grad():
        for part, shift in zip(weight.chunk(3), bias.chunk(3), strict=True):
            expected = F.linear(SRC, part.cpu(), shift.cpu())
            assert_close(F.linear(src, part, shift).cpu(), expected, rtol=1e-4, atol=1e-4)
    assert packs() == 0


@pytest.mark.parametrize("rows", [15, 16, 128, 319, 320])
def test_weights_whose_rows_fall_into_one_cache_set(rows):
    src, weights = torch.randn(rows, 256), torch.randn(256, 1024)
    expected = src.double() @ weights.double()
    assert_close((src.to(IPEX) @ weights.to(IPEX)).cpu().double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rows", [1, 3, 4, 63, 64, 65, 1000])
@pytest.mark.parametrize("columns", [1, 15, 16, 17, 513, 1200])
def test_bias_gradient_is_the_sum_of_the_rows(rows, columns):
    src, weight = torch.randn(rows, 2), torch.randn(columns, 2)
    diff_dst = torch.randn(rows, columns)
    _, _, diff_bias = torch.ops.aten.linear_backward(
        src.to(IPEX), diff_dst.to(IPEX), weight.to(IPEX), [False, False, True]
    )
    assert_close(diff_bias.cpu().double(), diff_dst.double().sum(0), rtol=1e-5, atol=1e-4)


def test_forward_mode_takes_linear_apart():
    src, weight, bias = (t.detach() for t in moved())
    tangent = torch.randn_like(src)
    with torch.autograd.forward_ad.dual_level():
        dual = F.linear(torch.autograd.forward_ad.make_dual(src, tangent), weight, bias)
        actual = torch.autograd.forward_ad.unpack_dual(dual).tangent
    assert_close(actual.cpu(), tangent.cpu() @ WEIGHT.t(), rtol=1e-4, atol=1e-4)

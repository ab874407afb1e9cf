"""bfloat16 tensors, and float32 ones that mixed precision holds in bfloat16, fuse as float32 ones do."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torch_ipex_device as ipex
from bfloat16 import arithmetic  # noqa: F401

from .nets import DEVICE, batch_norm, convolution, exact, image, is_open, on_device
from .test_epilogues import BINARY, IN_PLACE, UNARY, primitives

HOW = ["explicit", "mixed"]
BF16 = ipex.AmpConf(torch.bfloat16)


pytestmark = pytest.mark.usefixtures("arithmetic")


@contextlib.contextmanager
def precision(how: str) -> Iterator[None]:
    """Mixed precision, or none when tensors are bfloat16 themselves."""
    with ipex.AutoMixPrecision(BF16) if how == "mixed" else contextlib.nullcontext():
        yield


def given(how: str, thing):
    """Returns a copy on ipex; a tensor of bfloat16 numbers, parameters of convolutions and linear layers rounded to them."""
    if isinstance(thing, Tensor):
        rounded = thing.bfloat16()
        return rounded.to(DEVICE) if how == "explicit" else rounded.float().to(DEVICE)
    made = on_device(thing)
    if how == "explicit" and not isinstance(thing, nn.BatchNorm2d):
        made.weight.data = made.weight.data.bfloat16()
        if made.bias is not None:
            made.bias.data = made.bias.data.bfloat16()
    return made


def reference(thing):
    """Returns the same in float64."""
    if isinstance(thing, Tensor):
        return thing.bfloat16().double()
    made = exact(thing)
    if not isinstance(thing, nn.BatchNorm2d):
        made.weight.data = made.weight.data.bfloat16().double()
    return made


def assert_rounded(actual: Tensor, expected: Tensor, times: int = 1) -> None:
    """Half a unit in the last of bfloat16's 8 digits each time, and what the bias of the explicit program was rounded by."""
    error = (actual.cpu().double() - expected).abs()
    assert (error <= times * (expected.abs() * 2.0**-8 + 2.0**-9)).all(), error.max()


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", [*UNARY, *IN_PLACE])
def test_unary(name, how):
    function = {**UNARY, **IN_PLACE}[name]
    conv, x = convolution(), image()
    module, source = given(how, conv), given(how, x)
    with precision(how), ipex.explain() as explanation:
        before = torch.ipex.fusion_stats()
        y = function(module(source))
        values = y.cpu()
    after = torch.ipex.fusion_stats()
    assert (after.fused - before.fused, after.applied - before.applied) == (1, 0)
    assert len(primitives(explanation)) == 1
    assert not any(row.path == "fallback" for row in explanation.rows)
    assert_rounded(values, function(reference(conv)(reference(x))))


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", BINARY)
def test_binary(name, how):
    function = BINARY[name]
    conv, other, x = convolution(), convolution(seed=4), image()
    module, shortcut, source = (given(how, thing) for thing in (conv, other, x))
    with precision(how):
        residual = shortcut(source)
        kept = residual.cpu()
        opened = torch.ipex.fusion_stats().opened
        y = function(module(source), residual)
        assert torch.ipex.fusion_stats().opened == opened + 1
        values = y.cpu()
    # oneDNN adds no multiple: that is a loop after it.
    assert_rounded(values, function(reference(conv)(reference(x)), kept.double()), times=4 if "alpha" in name else 1)
    assert torch.equal(residual.cpu(), kept)


@pytest.mark.parametrize("how", HOW)
def test_block_with_shortcut_is_two_primitives(how):
    conv, shortcut = convolution(), nn.Conv2d(16, 32, 1).eval().requires_grad_(False)
    norm, other_norm, x = batch_norm(), batch_norm(seed=5), image()

    def block(conv, norm, shortcut, other_norm, x):
        out = norm(conv(x))
        identity = other_norm(shortcut(x))
        out += identity
        return F.relu(out, inplace=True)

    modules = [given(how, module) for module in (conv, norm, shortcut, other_norm)]
    source = given(how, x)
    with precision(how), ipex.explain() as explanation:
        values = block(*modules, source).cpu()
    expected = block(*map(reference, (conv, norm, shortcut, other_norm)), reference(x))
    assert_rounded(values, expected, times=4)  # the shortcut is rounded apart, and larger than some sums
    assert values.stride() == expected.stride()
    assert sorted(primitives(explanation)) == ["convolution+batch_norm", "convolution+batch_norm+add+relu"]


@pytest.mark.parametrize("how", HOW)
def test_cat_and_batch_norm_wait_for_what_follows(how):
    convs, norm, x = [convolution(out=16, seed=seed) for seed in (0, 1)], batch_norm(), image()
    modules, source, normalise = [given(how, conv) for conv in convs], given(how, x), given(how, norm)
    with precision(how), ipex.explain() as explanation:
        parts = [module(source) for module in modules]
        values = F.relu(normalise(torch.cat(parts, 1))).cpu()
        parts = [part.cpu().double() for part in parts]
    assert_rounded(values, F.relu(exact(norm)(torch.cat(parts, 1))))
    assert primitives(explanation).count("cat+batch_norm+relu") == 1


@pytest.mark.parametrize("how", HOW)
def test_linear_layers(how):
    torch.manual_seed(0)
    layer, x = nn.Linear(512, 96).eval().requires_grad_(False), torch.randn(130, 512) * 4
    module, source = given(how, layer), given(how, x)
    with precision(how), ipex.explain() as explanation:
        values = F.gelu(module(source)).cpu()
    assert primitives(explanation) == ["linear+gelu_erf"]
    assert_rounded(values, F.gelu(reference(layer)(reference(x))))


def test_intermediates_that_are_alive_keep_their_values():
    conv, norm, x = given("mixed", convolution()), given("mixed", batch_norm()), given("mixed", image())
    with precision("mixed"):
        y = conv(x)
        z = norm(y)
        a = F.relu(z)
        assert all(ipex.physical_form(t).dtype == "BFloat16" for t in (y, z, a))
    unfused = y.cpu()
    assert torch.equal(a.cpu(), F.relu(z).cpu())
    torch.ipex.set_eager_fusion(False)
    with precision("mixed"):
        assert torch.equal(conv(x).cpu(), unfused)
        assert torch.equal(norm(y).cpu(), z.cpu())


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("written", ["x", "residual", "weight", "norm"])
def test_writes_after_the_call_come_too_late(written, how):
    conv, norm, x, residual = convolution(), batch_norm(), image(size=40), image(32, size=40, seed=3)
    module, normalise, source, other = (given(how, thing) for thing in (conv, norm, x, residual))
    with precision(how):
        other = other * 1  # mixed precision holds what it computed
        y = F.relu(normalise(module(source)) + other)
        {"x": source, "residual": other, "weight": module.weight, "norm": normalise.weight}[written].data.zero_()
        values = y.cpu()
    expected = F.relu(reference(norm)(reference(conv)(reference(x))) + reference(residual))
    assert_rounded(values, expected, times=4)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_and_infinity_come_through(value, how):
    conv, x = convolution(), image()
    x[1, 3, 4, 5] = value
    module, source = given(how, conv), given(how, x)
    with precision(how):
        values = F.relu(module(source)).cpu()
    expected = F.relu(reference(conv)(reference(x)))
    assert torch.equal(values.isnan(), expected.isnan())
    assert torch.equal(values.isinf(), expected.isinf())
    finite = expected.isfinite()
    assert_rounded(values[finite], expected[finite])


def test_float32_reader_closes_and_the_chain_goes_on():
    conv, x = given("mixed", convolution()), given("mixed", image())
    with precision("mixed"):
        y = conv(x)
        assert is_open(y) or ipex.physical_form(y).dtype == "BFloat16"
        total = y.cumsum(1)  # reads float32
        z = F.relu(y)
        y.mul_(2)
        w = y + 1
    torch.testing.assert_close(total.cpu(), (y.cpu() / 2).cumsum(1))
    assert torch.equal(z.cpu(), F.relu(y.cpu() / 2))
    torch.testing.assert_close(w.cpu(), y.cpu() + 1, rtol=2.0**-8, atol=0)


def test_batch_norm_with_bfloat16_parameters():
    """A model that was converted as a whole: evaluation is native."""
    norm, x = batch_norm(), image(32)
    module = on_device(norm).bfloat16()
    with ipex.explain() as explanation:
        y = module(given("explicit", x))
        values = y.cpu()
    assert not any(row.path == "fallback" for row in explanation.rows)
    assert values.dtype == torch.bfloat16
    expected = exact(norm.bfloat16())(reference(x))
    assert_rounded(values, expected)


WRITES = {
    "in place": lambda t: t.mul_(2),
    "view": lambda t: t[3:9].fill_(1),
    "data": lambda t: t.data.copy_(torch.ones_like(t)),
    "fallback": lambda t: t.cumsum_(0),
    "pointer": lambda t: ctypes.memset(t.data_ptr(), 0, t.numel() * 2),
    "alias": lambda t: torch.ipex.as_cpu(t).fill_(0.5),
    "set_": lambda t: t.set_(torch.full_like(t, 0.25)),
}


@pytest.mark.parametrize("way", WRITES)
@pytest.mark.parametrize("which", ["weight", "input"])
def test_what_was_read_before_a_write_is_not_read_again(which, way):
    """Where float32 kernels do the work, both have a float32 copy after the first call."""
    torch.manual_seed(0)
    weight, x = (torch.randn(256, 256).bfloat16().to(DEVICE) for _ in range(2))
    for _ in range(2):
        F.linear(x, weight).cpu()
    WRITES[way](weight if which == "weight" else x)
    y = F.linear(x, weight)
    expected = F.linear(x.cpu().double(), weight.cpu().double())
    assert_rounded(y, expected, times=2)

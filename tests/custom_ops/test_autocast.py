"""Autocast gives the dtypes of the stock operators; modes of the ipex device change nothing for CPU tensors."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils import _pytree as pytree

import torch_ipex_device as ipex

from .cases import CASES, DEVICES, OPS, converted, convolution, flat, numbers, stock_convolution
from .weights import BYTES, COLUMNS, ROWS, assert_used_as_it_is, kept

NAMES = [
    "linear",
    "convolution",
    "convolution, transposed",
    "gelu",
    "layer_norm",
    "lstm",
    "scaled_dot_product_attention, masked",
]


def run(function, arguments, device, dtype):
    with torch.autocast(device, dtype):
        for _ in range(3):
            result = flat(function(*arguments))
    return result


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", NAMES)
def test_dtypes_are_those_of_stock_autocast(name, device, dtype, gradients):
    case = CASES[name]
    arguments = pytree.tree_map_only(
        Tensor, lambda t: t.to(device, dtype).clone().requires_grad_(gradients), case.arguments
    )
    if name == "convolution, transposed":
        stock = lambda x, w, *_: F.conv_transpose2d(x, w, None, 2, 1, 1, 2, 1)  # noqa: E731
    elif name == "convolution":
        stock = lambda x, w, b, *_: F.conv2d(x, w, b, 1, 1)  # noqa: E731
    else:
        stock = case.reference
    results = []
    for function in (case.operator, stock):
        made = run(function, arguments, device, torch.bfloat16)
        results.append(made)
        if gradients:
            leaves = flat(arguments)
            found = torch.autograd.grad(sum(t.float().square().sum() for t in made), leaves, allow_unused=True)
            results[-1] = [*made, *[g for g in found if g is not None]]
    assert [t.dtype for t in results[0]] == [t.dtype for t in results[1]]
    for ours, expected in zip(*results, strict=True):
        noise = (ours.detach().double() - expected.detach().double()).norm()
        assert noise <= 0.05 * expected.detach().double().norm()


@pytest.mark.parametrize("device", DEVICES)
def test_what_is_added_is_lowered(device):
    """Unlike F.linear(x, w) + other, which autocast leaves in the dtype of `other`."""
    x, w, b, other, _ = converted(CASES["linear, all arguments"].arguments, device)
    with torch.autocast(device, torch.bfloat16):
        assert OPS.linear(x, w, b, other, "relu").dtype == torch.bfloat16


def test_a_norm_keeps_its_parameters():
    arguments = CASES["convolution, all arguments"].arguments
    with torch.autocast("cpu", torch.bfloat16):
        result = CASES["convolution, all arguments"].operator(*arguments)
    assert result.dtype == torch.bfloat16
    expected = CASES["convolution, all arguments"].reference(*arguments)
    torch.testing.assert_close(result.float(), expected, rtol=0.05, atol=0.1)


def test_weights_are_rounded_once_and_not_at_every_call():
    weight, x, before = numbers(ROWS, COLUMNS), numbers(5, COLUMNS), kept()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for _ in range(3):
            OPS.linear(x, weight)
        held = kept()
        with ipex.explain() as explanation:
            OPS.linear(x, weight)
    assert before + BYTES // 2 <= held <= before + 2 * BYTES
    assert not any("copy" in row.operator and str(COLUMNS * ROWS) in row.arguments for row in explanation.rows)
    weight.mul_(2)
    assert_used_as_it_is(weight)


@pytest.mark.parametrize("name", ["linear", "convolution, all arguments"])
def test_half(name):
    call = {
        "linear": OPS.linear,
        "convolution, all arguments": lambda x, w, b, *_: convolution(x, w, b, 2, transposed=True),
    }
    stock = {"linear": F.linear, "convolution, all arguments": lambda x, w, b, *_: F.conv_transpose3d(x, w, b, 2)}
    x, w, b = CASES["linear"].arguments
    if name != "linear":
        x, w, b = numbers(2, 8, 5, 5, 5), numbers(8, 4, 3, 3, 3, seed=1), numbers(4, seed=2)
    with torch.no_grad(), torch.autocast("cpu", torch.float16):
        expected = stock[name](x, w, b)
        result = call[name](x, w, b)
    assert result.dtype == expected.dtype == torch.float16
    torch.testing.assert_close(result, expected, rtol=1e-2, atol=1e-2)


def test_half_beside_weights_in_bfloat16():
    x, w, b = converted(CASES["linear"].arguments, torch.bfloat16)
    with torch.no_grad(), torch.autocast("cpu", torch.float16):
        expected = F.linear(x, w, b)
        torch.testing.assert_close(OPS.linear(x, w, b), expected, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("name", CASES)
def test_mixed_precision_of_ipex_does_not_reach_cpu_tensors(name):
    case = CASES[name]
    with torch.no_grad():
        for _ in range(2):
            expected = flat(case.operator(*case.arguments))
        ipex.enable_auto_mixed_precision(torch.bfloat16)
        try:
            results = [flat(case.operator(*case.arguments)) for _ in range(3)]
        finally:
            ipex.enable_auto_mixed_precision(None)
        with ipex.AutoMixPrecision(ipex.AmpConf(torch.bfloat16)):
            results.append(flat(case.operator(*case.arguments)))
    for result in results:
        assert all(map(torch.equal, result, expected))


@pytest.mark.parametrize("name", CASES)
def test_int8_does_not_reach_cpu_tensors(name):
    """Neither do operators get entries, nor are values rounded."""
    case, conf = CASES[name], ipex.AmpConf(torch.int8)
    layer, x = torch.nn.Linear(64, 32).to("ipex"), numbers(5, 64).to("ipex")
    with torch.no_grad():
        for _ in range(2):
            expected = flat(case.operator(*case.arguments))
        for mode in ("calibration", "inference", "inference"):
            with ipex.AutoMixPrecision(conf, mode):
                first = flat(case.operator(*case.arguments))
                layer(x).cpu()
                second = flat(case.operator(*case.arguments))
            assert all(map(torch.equal, first + second, expected + expected))
    assert [entry.name for entry in conf.calibration.entries()] == ["Linear"]


def test_eager_fusion_off():
    arguments = CASES["convolution, all arguments"].arguments
    before = torch.ipex.eager_fusion()
    torch.ipex.set_eager_fusion(False)
    try:
        with torch.no_grad():
            result = CASES["convolution, all arguments"].operator(*arguments)
    finally:
        torch.ipex.set_eager_fusion(before)
    torch.testing.assert_close(result, CASES["convolution, all arguments"].reference(*arguments), rtol=1e-4, atol=1e-5)


def test_autocast_of_another_device_does_nothing():
    for device, other in (("cpu", "ipex"), ("ipex", "cpu")):
        x, w, b = converted(CASES["linear"].arguments, device)
        with torch.no_grad(), torch.autocast(other, torch.bfloat16):
            assert OPS.linear(x, w, b).dtype == torch.float32
            image, kernel = converted((numbers(1, 8, 5, 5), numbers(8, 8, 3, 3)), device)
            torch.testing.assert_close(
                convolution(image, kernel).cpu(), stock_convolution(image.cpu(), kernel.cpu()), rtol=1e-4, atol=1e-4
            )

"""Kernels of ipex serve CPU tensors, with post_ops inside of primitives; what they do not take is passed on."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

import torch_ipex_device as ipex

from .cases import CASES, OPS, POST_OPS, convolution, numbers, statistics


def rows(function, *arguments, **named):
    """Returns the rows of explain() of a call, and its result."""
    with torch.no_grad(), ipex.explain() as explanation:
        result = function(*arguments, **named)
    return explanation.rows, result


@pytest.mark.parametrize("name", CASES)
def test_float32_is_native(name):
    for _ in range(3):
        found, _ = rows(CASES[name].operator, *CASES[name].arguments)
        assert any(row.path == "native" for row in found)
        assert not any(row.path == "fallback" for row in found), found


@pytest.mark.parametrize("name", ["linear", "convolution", "gelu", "layer_norm", "scaled_dot_product_attention"])
def test_bfloat16_is_native(name):
    arguments = [a.bfloat16() if isinstance(a, torch.Tensor) else a for a in CASES[name].arguments]
    found, _ = rows(CASES[name].operator, *arguments)
    assert not any(row.path == "fallback" for row in found), found


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("groups", [1, 16])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_kinds_of_convolution_are_native(rank, groups, transposed):
    w = numbers(16, 16 // groups, *[3] * rank, seed=1)
    found, _ = rows(convolution, numbers(2, 16, *[7] * rank), w, None, 1, 1, 1, transposed, groups)
    assert [row.operator for row in found if row.path == "native"] == ["convolution"]
    assert not any(row.path == "fallback" for row in found)


@pytest.mark.parametrize("post_op", [name for name in POST_OPS if name not in ("", "elu", "mish")])
def test_one_primitive_computes_all(post_op):
    mean, var, weight, bias, eps = statistics(32)
    norm = {"norm_mean": mean, "norm_var": var, "norm_weight": weight, "norm_bias": bias, "norm_eps": eps}
    other = numbers(2, 32, 12, 12, seed=3)
    x, w = numbers(2, 16, 12, 12), numbers(32, 16, 3, 3, seed=1)
    found, _ = rows(convolution, x, w, padding=1, other=other, post_op=post_op, **norm)
    native = [row for row in found if row.path == "native"]
    assert len(native) == 1 and native[0].fused.startswith("batch_norm+add+"), found
    found, _ = rows(OPS.linear, numbers(128, 256), numbers(192, 256, seed=1), None, numbers(128, 192), post_op)
    native = [row for row in found if row.path == "native"]
    assert len(native) == 1 and native[0].fused.startswith("add+"), found


def test_gradients_are_native():
    for name in ("linear", "convolution"):
        x, w, *rest = CASES[name].arguments
        with ipex.explain() as explanation:
            CASES[name].operator(x, w.clone().requires_grad_(), *rest).sum().backward()
        assert not any(row.path == "fallback" for row in explanation.rows), explanation
        assert len([row for row in explanation.rows if row.path == "native"]) == 2, explanation


def test_nothing_is_open_when_an_operator_returns():
    _, y = rows(OPS.linear, numbers(128, 256), numbers(192, 256, seed=1))
    assert not ipex.physical_form(torch.ipex.from_cpu(y)).open


def test_float64_is_passed_on():
    found, y = rows(OPS.linear, numbers(4, 8).double(), numbers(3, 8, seed=1).double())
    assert y.dtype == torch.float64 and any(row.path == "fallback" for row in found)


def test_the_fallback_policy_is_for_ipex_tensors():
    with torch.ipex.fallback_policy("error"):
        assert OPS.linear(numbers(4, 8).double(), numbers(3, 8, seed=1).double()).dtype == torch.float64


def test_without_native_kernels_results_are_the_same(tmp_path):
    program = (
        "import torch, torch_ipex_device\n"
        "torch.manual_seed(0)\n"
        "x, w = torch.randn(9, 64), torch.randn(32, 64)\n"
        "for _ in range(3):\n"
        "    y = torch.ops.torch_ipex.linear(x, w, None, None, 'relu')\n"
        "    torch.testing.assert_close(y, torch.nn.functional.linear(x, w).relu())\n"
        "w.fill_(1)\n"
        "torch.testing.assert_close(torch.ops.torch_ipex.linear(x, w), torch.nn.functional.linear(x, w))\n"
    )
    environment = {**os.environ, "IPEX_NATIVE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr

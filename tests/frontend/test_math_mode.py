"""set_fp32_math_mode switches PyTorch's CPU kernels, and says what to use on ipex."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from torch_ipex_device.frontend import isa
from torch_ipex_device.frontend.math_mode import FP32MathMode, get_fp32_math_mode, set_fp32_math_mode

SWITCHES = (torch.backends.mkldnn.matmul, torch.backends.mkldnn.conv, torch.backends.mkldnn.rnn)


@pytest.fixture(autouse=True)
def switches_are_restored() -> Iterator[None]:
    before = [switch.fp32_precision for switch in SWITCHES]
    yield
    for switch, precision in zip(SWITCHES, before, strict=True):
        switch.fp32_precision = precision


def product(device: str = "cpu") -> Tensor:
    torch.manual_seed(0)
    with torch.no_grad():
        return torch.randn(128, 256).to(device) @ torch.randn(256, 192).to(device)


def exact_product() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(128, 256).double() @ torch.randn(256, 192).double()


def test_default_is_fp32() -> None:
    assert get_fp32_math_mode() is get_fp32_math_mode("ipex") is FP32MathMode.FP32


@pytest.mark.parametrize("mode", [FP32MathMode.BF32, FP32MathMode.FP32])
def test_mode_is_what_was_set(mode: FP32MathMode) -> None:
    set_fp32_math_mode(mode)
    assert get_fp32_math_mode() is get_fp32_math_mode("cpu") is mode
    assert {switch.fp32_precision for switch in SWITCHES} == {"bf16" if mode is FP32MathMode.BF32 else "ieee"}


def test_without_arguments_it_goes_back() -> None:
    set_fp32_math_mode(FP32MathMode.BF32)
    set_fp32_math_mode()
    assert get_fp32_math_mode() is FP32MathMode.FP32
    error = (product().double() - exact_product()).norm() / exact_product().norm()
    assert error < 1e-6


@pytest.mark.skipif(not isa.has("AVX512_BF16"), reason="this processor has no instructions for bfloat16 products")
def test_bf32_rounds_operands_of_products_on_cpu() -> None:
    set_fp32_math_mode(FP32MathMode.BF32)
    error = (product().double() - exact_product()).norm() / exact_product().norm()
    assert 1e-4 < error < 1e-2  # bfloat16 has 8 bits of mantissa


def test_pytorchs_onednn_is_asked_for_bfloat16() -> None:
    program = """
import torch
from torch_ipex_device.frontend.math_mode import FP32MathMode, set_fp32_math_mode
from torch_ipex_device.frontend.verbose import verbose
x, kernel, square = torch.randn(8, 16, 32, 32), torch.randn(32, 16, 3, 3), torch.randn(512, 512)
for mode in (FP32MathMode.BF32, FP32MathMode.FP32):
    set_fp32_math_mode(mode)
    print(mode.name, flush=True)
    with torch.no_grad(), verbose(verbose.VERBOSE_ON):
        torch.conv2d(x, kernel)
        torch.nn.functional.linear(square, square)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tempfile.gettempdir(), capture_output=True, text=True, check=True
    )
    rounded, exact = done.stdout.split("FP32\n")
    assert sum("attr-fpmath:bf16" in line and ",exec," in line for line in rounded.splitlines()) >= 2
    assert "attr-fpmath:bf16" not in exact


def test_bf32_changes_nothing_on_ipex() -> None:
    before = product("ipex").cpu()
    set_fp32_math_mode(FP32MathMode.BF32)
    assert torch.equal(product("ipex").cpu(), before)
    assert get_fp32_math_mode("ipex") is FP32MathMode.FP32


def test_ipex_accepts_fp32_and_leaves_cpu_alone() -> None:
    set_fp32_math_mode(FP32MathMode.BF32)
    set_fp32_math_mode(FP32MathMode.FP32, device="ipex")
    assert get_fp32_math_mode() is FP32MathMode.BF32


def test_kinds_that_differ_count_as_fp32() -> None:
    set_fp32_math_mode(FP32MathMode.BF32)
    torch.backends.mkldnn.conv.fp32_precision = "ieee"
    assert get_fp32_math_mode() is FP32MathMode.FP32


def test_ipex_has_no_bf32_and_the_error_names_mixed_precision() -> None:
    with pytest.raises(
        ValueError, match=r"E103 got BF32 for device ipex; accepted: FP32; .*enable_auto_mixed_precision"
    ):
        set_fp32_math_mode(FP32MathMode.BF32, device="ipex:0")


def test_no_cpu_has_tf32() -> None:
    with pytest.raises(ValueError, match=r"E103 got TF32 for device cpu; accepted: FP32 or BF32"):
        set_fp32_math_mode(FP32MathMode.TF32)


@pytest.mark.parametrize("mode", ["BF32", 1, None, torch.bfloat16])
def test_mode_is_no_string_or_number(mode: object) -> None:
    with pytest.raises(TypeError, match=r"E101 got .*; accepted: FP32MathMode.FP32, FP32MathMode.BF32"):
        set_fp32_math_mode(mode)  # type: ignore[arg-type]


@pytest.mark.parametrize("function", [get_fp32_math_mode, lambda device: set_fp32_math_mode(device=device)])
def test_bad_devices_are_refused(function) -> None:
    with pytest.raises(ValueError, match=r"E103 got device='xpu'; accepted: cpu, ipex"):
        function("xpu")
    with pytest.raises(TypeError, match=r"E101 got int as device; accepted: cpu, ipex"):
        function(0)


@pytest.mark.parametrize(("value", "outcome"), [("BF32", "FP32MathMode.BF32"), ("", "none"), ("TF32", "E501")])
def test_environment_variable(value: str, outcome: str) -> None:
    program = (
        "import torch, torch_ipex_device\n"
        "from torch_ipex_device.frontend import math_mode\n"
        "switch = torch.backends.mkldnn.conv.fp32_precision\n"
        "print(math_mode.get_fp32_math_mode() if switch != 'none' else switch)"
    )
    environment = os.environ | {"IPEX_FP32_MATH_MODE": value}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tempfile.gettempdir(),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome in done.stdout + done.stderr
    assert (done.returncode == 0) == (outcome != "E501")

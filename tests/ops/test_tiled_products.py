"""Our own products: packed weights with many rows and, on machines whose oneDNN uses AVX2, gradients of convolutions."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

import torch_ipex_device as ipex
from torch_ipex_device import _C

DEVICE = ipex.DEVICE
HAS_AVX512 = _C.cpu_isa().startswith("avx512")
OWN = "ipex:avx512" if HAS_AVX512 else "ipex:avx2"


@pytest.fixture(scope="module", autouse=True)
def needs_avx2():
    if not _C.cpu_isa().startswith("avx"):
        pytest.skip("below AVX2 these are oneDNN's")


def implementations(explanation: ipex.explain) -> str:
    return " ".join(row.implementations for row in explanation.rows)


def assert_close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    """To a few units of float32 at the size of the largest element."""
    error = (actual.cpu().double() - expected).abs().max() / expected.abs().max()
    assert error < 3e-6, f"relative error {error:.1e}"


@pytest.mark.parametrize("rows", [96, 97, 101, 128, 133, 265])
@pytest.mark.parametrize(("depth", "columns"), [(64, 64), (33, 49), (515, 96), (1030, 17), (768, 130)])
@pytest.mark.parametrize("bias", [False, True])
def test_linear_with_many_rows(rows, depth, columns, bias):
    """Rests of tiles, of chunks of the depth and of the last panel."""
    torch.manual_seed(0)
    x, weight = torch.randn(rows, depth), torch.randn(columns, depth)
    shift = torch.randn(columns) if bias else None
    on_device = weight.to(DEVICE)
    with torch.no_grad(), ipex.explain() as explanation:
        y = F.linear(x.to(DEVICE), on_device, None if shift is None else shift.to(DEVICE))
    assert OWN in implementations(explanation)
    assert_close(y, F.linear(x.double(), weight.double(), None if shift is None else shift.double()))
    assert torch.equal(on_device.cpu(), weight)


def test_few_rows_use_the_copy_that_many_rows_made():
    """A second packed copy would double the memory of a model that reads a prompt and then single tokens."""
    torch.manual_seed(0)
    weight = torch.randn(512, 256)
    on_device = weight.to(DEVICE)
    with torch.no_grad():
        for rows in (128, 1, 7, 128):
            x = torch.randn(rows, 256)
            assert_close(F.linear(x.to(DEVICE), on_device), F.linear(x.double(), weight.double()))
    assert len(_C.physical_form(on_device)["packed"]) == 1


@pytest.mark.parametrize(
    "write",
    [
        lambda w: w.mul_(2),
        lambda w: w[3:9].fill_(1),
        lambda w: w.data.copy_(torch.randn(512, 256)),
        lambda w: w.zero_(),
    ],
    ids=["in place", "view", "data", "zero"],
)
def test_panels_of_written_weights_are_made_anew(write):
    torch.manual_seed(0)
    weight, x = torch.randn(512, 256, device=DEVICE), torch.randn(128, 256, device=DEVICE)
    with torch.no_grad():
        F.linear(x, weight)
        assert _C.physical_form(weight)["packed"]
        write(weight)
        with ipex.explain() as explanation:
            y = F.linear(x, weight)
        assert OWN in implementations(explanation)
        expected = F.linear(x.cpu().double(), weight.cpu().double())
        torch.testing.assert_close(y.cpu().double(), expected, rtol=1e-4, atol=1e-4)


def test_on_one_thread_and_on_all_the_results_are_equal():
    torch.manual_seed(0)
    x, weight = torch.randn(300, 200, device=DEVICE), torch.randn(180, 200, device=DEVICE)
    threads = torch.get_num_threads()
    with torch.no_grad():
        expected = F.linear(x, weight).cpu()
        try:
            torch.set_num_threads(1)
            assert torch.equal(F.linear(x, weight).cpu(), expected)
        finally:
            torch.set_num_threads(threads)


GEOMETRIES = list(
    itertools.product(
        [1, 2, 3],  # spatial dimensions
        [
            (1, 1, 0, 1),
            (1, 2, 0, 1),
            (3, 1, 1, 1),
            (3, 2, 1, 1),
            (2, 3, 2, 2),
            (5, 1, 0, 1),
        ],  # kernel, stride, padding, dilation
        [(16, 16), (48, 33), (17, 64)],  # channels in and out
        [1, 5],  # images
    )
)


@pytest.mark.parametrize(("spatial", "window", "channels", "images"), GEOMETRIES)
def test_gradients_of_convolutions(spatial, window, channels, images):
    torch.manual_seed(0)
    kernel, stride, padding, dilation = window
    size = {1: (37,), 2: (13, 11), 3: (9, 6, 7)}[spatial]
    x = torch.randn(images, channels[0], *size)
    weight = torch.randn(channels[1], channels[0], *[kernel] * spatial)
    bias = torch.randn(channels[1])
    arguments = ([stride] * spatial, [padding] * spatial, [dilation] * spatial, False, [0] * spatial, 1)
    output = torch.ops.aten.convolution(x.double(), weight.double(), bias.double(), *arguments)
    gradient = torch.randn(output.shape)

    def backward(g, x, weight):
        return torch.ops.aten.convolution_backward(g, x, weight, [channels[1]], *arguments, [True, True, True])

    expected = backward(gradient.double(), x.double(), weight.double())
    with ipex.explain() as explanation:
        actual = backward(gradient.to(DEVICE), x.to(DEVICE), weight.to(DEVICE))
    own = implementations(explanation).count(OWN)
    whole_panels = channels[0] % 16 == 0 or kernel == 1
    assert HAS_AVX512 or own == (whole_panels and output[:, 0].numel() >= 32) + (
        kernel == 1 and stride > 1 and padding == 0
    )
    for a, e in zip(actual, expected, strict=True):
        assert_close(a, e)


def test_weight_gradient_is_the_same_every_time():
    """Threads take images as they come, but their sums are added in one order."""
    torch.manual_seed(0)
    x = torch.randn(16, 32, 28, 28, device=DEVICE)
    weight = torch.randn(32, 32, 3, 3, device=DEVICE, requires_grad=True)
    gradients = []
    for _ in range(4):
        weight.grad = None
        F.conv2d(x, weight, padding=1).sum().backward()
        gradients.append(weight.grad.cpu())
    assert all(torch.equal(g, gradients[0]) for g in gradients)


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
@pytest.mark.parametrize("kernel", [1, 3])
def test_padding_makes_no_nan(value, kernel):
    """Zeros outside the image never meet an infinite gradient in stock PyTorch."""
    torch.manual_seed(0)
    x, weight = torch.randn(2, 16, 6, 6), torch.randn(16, 16, kernel, kernel)
    arguments = ([1, 1], [1, 1], [1, 1], False, [0, 0], 1)
    gradient = torch.randn_like(torch.ops.aten.convolution(x, weight, None, *arguments))
    gradient[0, 0, 0, 0] = value

    def backward(*tensors):
        return torch.ops.aten.convolution_backward(*tensors, None, *arguments, [True, True, False])

    expected = backward(gradient, x, weight)
    actual = backward(gradient.to(DEVICE), x.to(DEVICE), weight.to(DEVICE))
    for a, e in zip(actual[:2], expected[:2], strict=True):
        torch.testing.assert_close(a.cpu(), e, equal_nan=True, rtol=1e-4, atol=1e-4)


def test_the_log_of_onednn_has_our_products_too():
    program = """
import torch
import torch_ipex_device as ipex
weight = torch.randn(64, 64, device=ipex.DEVICE)
with torch.no_grad():
    torch.nn.functional.linear(torch.randn(128, 64, device=ipex.DEVICE), weight)
"""

    def log(value: str) -> list[str]:
        run = subprocess.run(
            [sys.executable, "-P", "-c", program],
            env={**os.environ, "ONEDNN_VERBOSE": value},
            capture_output=True,
            text=True,
            check=True,
        )
        return [line for line in run.stdout.splitlines() if OWN in line]

    (line,) = log("1")
    fields = line.split(",")
    assert fields[:5] == ["onednn_verbose", "exec", "cpu", "matmul", OWN]
    assert "128x64:64x64" in fields
    assert float(fields[-1]) > 0
    assert log("0") == []


@pytest.mark.parametrize("rows", [12288, 12001])
def test_large_weights_are_packed_without_holding_them_twice(rows):
    """40 MB of weights: packing them must not need 40 MB more."""
    program = f"""
import ctypes, re
from pathlib import Path
import torch
import torch_ipex_device as ipex
torch.manual_seed(0)
weight = torch.randn({rows}, 864)
on_device = weight.to(ipex.DEVICE)
x = torch.randn(128, 864)
with torch.no_grad():
    torch.nn.functional.linear(x.to(ipex.DEVICE), torch.randn(64, 864, device=ipex.DEVICE))
    expected = (x.double() @ weight.double().t()).float()
    y = torch.empty({rows}, 128, device=ipex.DEVICE)
    del y
    status = lambda name: int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    y = torch.nn.functional.linear(x.to(ipex.DEVICE), on_device)
    grown = status("VmHWM") - before
torch.testing.assert_close(y.cpu(), expected, rtol=1e-4, atol=1e-3)
form = ipex._C.physical_form(on_device)
assert not form["plain"] and form["packed"], form
assert torch.equal(on_device.cpu(), weight)
assert grown < 30, f"grew by {{grown}} MB"
"""
    subprocess.run([sys.executable, "-P", "-c", program], check=True)

"""torch.autocast("ipex") and GradScaler: PyTorch's semantics, judged by stock CPU with explicit casts."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import nn


def test_default_dtype_is_bfloat16_in_every_thread() -> None:
    seen = []

    def run() -> None:
        x = torch.ones(2, 2, device="ipex")
        with torch.autocast("ipex"):
            seen.append((x @ x).dtype)

    run()
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [torch.bfloat16, torch.bfloat16]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_lower_precision_operators_cast(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    linear, conv = nn.Linear(8, 4), nn.Conv2d(3, 4, 3)
    x, image = torch.randn(5, 8), torch.randn(2, 3, 6, 6)
    expected = nn.functional.linear(x.to(dtype), linear.weight.to(dtype), linear.bias.to(dtype))
    expected_image = nn.functional.conv2d(image.to(dtype), conv.weight.to(dtype), conv.bias.to(dtype))
    linear, conv = linear.to("ipex"), conv.to("ipex")
    with torch.autocast("ipex", dtype):
        actual, actual_image = linear(x.ipex()), conv(image.ipex())
    assert actual.dtype == actual_image.dtype == dtype
    torch.testing.assert_close(actual.cpu(), expected)
    torch.testing.assert_close(actual_image.cpu(), expected_image)


def test_float32_operators_stay_in_float32() -> None:
    x = torch.randn(4, 4, device="ipex", dtype=torch.bfloat16)
    with torch.autocast("ipex", torch.bfloat16):
        assert torch.softmax(x, 1).dtype == torch.float32
        assert nn.functional.mse_loss(x, x).dtype == torch.float32
        assert x.sum().dtype == torch.float32


def test_promotion_takes_the_widest() -> None:
    a, b = torch.ones(2, device="ipex", dtype=torch.bfloat16), torch.ones(2, device="ipex")
    with torch.autocast("ipex", torch.bfloat16):
        assert torch.cat([a, b]).dtype == torch.float32
        assert torch.stack([a, a]).dtype == torch.bfloat16


def test_operators_without_a_rule_are_untouched() -> None:
    x = torch.randn(3, device="ipex")
    with torch.autocast("ipex", torch.bfloat16):
        assert (x + 1).dtype == torch.float32
        assert x.relu().dtype == torch.float32


def test_regions_nest_and_can_be_disabled() -> None:
    x = torch.ones(2, 2, device="ipex")
    with torch.autocast("ipex", torch.bfloat16):
        with torch.autocast("ipex", enabled=False):
            assert (x @ x).dtype == torch.float32
        with torch.ipex.amp.autocast(dtype=torch.float16):
            assert (x @ x).dtype == torch.float16
        assert (x @ x).dtype == torch.bfloat16
    assert (x @ x).dtype == torch.float32


def test_cpu_autocast_does_not_touch_ipex_and_vice_versa() -> None:
    x = torch.ones(2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        assert (x.ipex() @ x.ipex()).dtype == torch.float32
    with torch.autocast("ipex", torch.bfloat16):
        assert (x @ x).dtype == torch.float32


def test_binary_cross_entropy_is_refused() -> None:
    x = torch.full((2,), 0.5, device="ipex")
    with torch.autocast("ipex", torch.bfloat16), pytest.raises(RuntimeError, match="unsafe to autocast"):
        nn.functional.binary_cross_entropy(x, x)


def test_unsupported_dtype_warns_and_disables() -> None:
    x = torch.ones(2, 2, device="ipex")
    with pytest.warns(UserWarning, match="target dtype is not supported"), torch.autocast("ipex", torch.float64):
        assert (x @ x).dtype == torch.float32


def train(device: str, dtype: torch.dtype, scaled: bool) -> list[float]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 1)).to(device)
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    scaler = torch.amp.GradScaler(device, init_scale=128.0, enabled=scaled)
    x, y = torch.randn(32, 8).to(device), torch.randn(32, 1).to(device)
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        with torch.autocast(device, dtype):
            loss = nn.functional.mse_loss(model(x).float(), y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize(("dtype", "scaled"), [(torch.bfloat16, False), (torch.float16, True)])
def test_training_follows_cpu(dtype: torch.dtype, scaled: bool) -> None:
    actual, expected = train("ipex", dtype, scaled), train("cpu", dtype, scaled)
    assert actual[-1] < actual[0]
    torch.testing.assert_close(
        torch.tensor(actual), torch.tensor(expected), rtol=2e-2, atol=1e-3
    )  # a few steps of dtype


def test_scaler_skips_a_step_with_infinite_gradients() -> None:
    weight = nn.Parameter(torch.ones(2, device="ipex"))
    optimizer = torch.optim.SGD([weight], 0.1)
    scaler = torch.ipex.amp.GradScaler(init_scale=1024.0)
    scaler.scale((weight * torch.tensor([float("inf"), 1.0]).ipex()).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    assert weight.tolist() == [1, 1]
    assert scaler.get_scale() == 512


def test_custom_function_under_autocast() -> None:
    class Product(torch.autograd.Function):
        @staticmethod
        @torch.ipex.amp.custom_fwd(cast_inputs=torch.bfloat16)
        def forward(ctx: torch.autograd.function.FunctionCtx, x: torch.Tensor) -> torch.Tensor:
            assert not torch.is_autocast_enabled("ipex")
            return x @ x

        @staticmethod
        @torch.ipex.amp.custom_bwd
        def backward(ctx: torch.autograd.function.FunctionCtx, gradient: torch.Tensor) -> torch.Tensor:
            return gradient

    x = torch.ones(2, 2, device="ipex", requires_grad=True)
    with torch.autocast("ipex", torch.bfloat16):
        y = Product.apply(x)
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert x.grad is not None


def test_supported_dtypes() -> None:
    assert torch.ipex.get_amp_supported_dtype() == [torch.bfloat16, torch.float16]

"""ipex.cpu.autocast: PyTorch's autocast and gradient scaler under their archived names, without a warning."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

from torch_ipex_device.cpu import autocast
from torch_ipex_device.cpu.autocast import _grad_scaler


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_is_that_of_pytorch(dtype: torch.dtype) -> None:
    layer, x = nn.Linear(4, 4), torch.ones(2, 4)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("error")
        with autocast.autocast(dtype=dtype):
            assert layer(x).dtype == dtype
            with autocast.autocast(enabled=False):
                assert layer(x).dtype == torch.float32
        assert autocast.autocast()(layer)(x).dtype == torch.bfloat16


def test_scaler_unscales_and_skips_infinities() -> None:
    weight = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    scaler = _grad_scaler.GradScaler(init_scale=4.0, growth_interval=1)
    scaler.scale(weight.sum()).backward()
    assert weight.grad is not None and weight.grad.tolist() == [4.0, 4.0]
    scaler.step(optimizer)
    scaler.update()
    assert (weight.tolist(), scaler.get_scale()) == ([0.0, 0.0], 8.0)
    weight.grad = torch.tensor([1.0, float("inf")])
    scaler.step(optimizer)
    scaler.update()
    assert (weight.tolist(), scaler.get_scale()) == ([0.0, 0.0], 4.0)
    assert autocast.GradScaler is _grad_scaler.GradScaler

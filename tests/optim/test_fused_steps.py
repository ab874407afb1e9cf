"""`fuse_update_step`: when PyTorch's fused kernels run, that memory formats are safe with them, and what is logged."""

from __future__ import annotations

import copy
import logging
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import torch_ipex_device as ipex
from torch_ipex_device.optim import front_end
from torch_ipex_device.optim.front_end import prepare_optimizer

from .cases import DEVICES, FUSED, Make, layer, masters, prepare, steps

OPTIONS: dict[Make, dict[str, Any]] = {cls: {"lr": 0.05} for cls in FUSED}
OPTIONS[torch.optim.SGD]["momentum"] = 0.9


def kernels_of(optimizer: torch.optim.Optimizer, net: nn.Module, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Returns the names of the fused operators that a step calls."""
    called: list[str] = []
    for name in ("_fused_sgd_", "_fused_adam_", "_fused_adamw_", "_fused_adagrad_"):
        original = getattr(torch, name)
        monkeypatch.setattr(torch, name, lambda *a, _n=name, _f=original, **k: (called.append(_n), _f(*a, **k))[1])
    steps(optimizer, list(net.parameters()), 1)
    return called


@pytest.mark.parametrize("make", FUSED)
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [None, torch.bfloat16, torch.float16], ids=str)
def test_fused_kernels_run(make: Make, device: str, dtype: torch.dtype | None, monkeypatch: pytest.MonkeyPatch) -> None:
    net = layer(device)
    optimizer = prepare(make(net.parameters(), **OPTIONS[make]), [net], fuse=True, dtype=dtype)
    assert kernels_of(optimizer, net, monkeypatch) == [f"_fused_{make.__name__.lower()}_"]
    assert optimizer.param_groups[0]["fused"] is None and optimizer.state_dict()["param_groups"][0]["fused"] is None


@pytest.mark.parametrize("options", [{"foreach": True}, {"fused": False}], ids=str)
def test_options_of_the_user_win(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    net = layer()
    optimizer = prepare(torch.optim.SGD(net.parameters(), lr=0.1, **options), [net], fuse=True, dtype=None)
    assert kernels_of(optimizer, net, monkeypatch) == []


def test_bfloat16_without_masters_is_left_to_the_ordinary_step(monkeypatch: pytest.MonkeyPatch) -> None:
    net = layer().bfloat16()
    optimizer = prepare_optimizer(torch.optim.SGD(net.parameters(), lr=0.1), [], None, True, True)
    assert kernels_of(optimizer, net, monkeypatch) == []


def test_fusing_can_be_switched_off_again(monkeypatch: pytest.MonkeyPatch) -> None:
    net = layer()
    optimizer = prepare(torch.optim.SGD(net.parameters(), lr=0.1), [net], fuse=True)
    prepare_optimizer(optimizer, [], None, True, False)
    assert kernels_of(optimizer, net, monkeypatch) == []


def convolution(device: str, format: torch.memory_format) -> nn.Parameter:
    torch.manual_seed(0)
    return nn.Parameter(torch.randn(6, 4, 3, 3).to(device).to(memory_format=format))


def follow(optimizer: torch.optim.Optimizer, weight: nn.Parameter, first: int, count: int) -> None:
    """Gradients come in another memory format than weights, as `loss.backward()` with hooks or DDP may give them."""
    for step in range(first, first + count):
        torch.manual_seed(step)
        weight.grad = torch.randn(6, 4, 3, 3).to(weight.device, weight.dtype)
        optimizer.step()


@pytest.mark.parametrize("make", FUSED)
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [None, torch.bfloat16], ids=str)
def test_memory_formats_may_be_mixed(make: Make, device: str, dtype: torch.dtype | None) -> None:
    """PyTorch's kernels walk weight, gradient and state in the order of memory, whatever the strides are."""
    module = nn.Module()
    module.weight = weight = convolution(device, torch.channels_last)
    expected = convolution("cpu", torch.contiguous_format)
    optimizer = prepare(make([weight], **OPTIONS[make]), [module], fuse=True, dtype=dtype)
    plain = make([expected], **OPTIONS[make])
    for each, parameter in ((optimizer, weight), (plain, expected)):
        follow(each, parameter, 0, 3)
        contiguous = copy.deepcopy(each.state_dict())
        for value in contiguous["state"][0].values():
            if isinstance(value, Tensor):
                value.data = value.contiguous()
        each.load_state_dict(contiguous)
        follow(each, parameter, 3, 3)
    if dtype is None:
        torch.testing.assert_close(weight.detach().cpu(), expected.detach())
    else:  # gradients are rounded; each step of Adam has the size of lr whatever the gradient
        torch.testing.assert_close(masters(optimizer, [weight])[0], expected.detach(), rtol=0, atol=0.02)


def test_weights_that_are_not_dense_take_the_ordinary_step(monkeypatch: pytest.MonkeyPatch) -> None:
    net = nn.Module()
    net.weight = nn.Parameter(torch.ones(4, 6)[:, ::2])
    optimizer = prepare(torch.optim.SGD(net.parameters(), lr=0.1), [net], fuse=True, dtype=None)
    assert kernels_of(optimizer, net, monkeypatch) == []


def test_a_class_without_fused_kernel_is_named_once_and_only_if_asked_for(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_end, "_noticed", set())
    optimizer = torch.optim.RMSprop(layer().parameters())
    with caplog.at_level(logging.WARNING, "torch_ipex_device"):
        assert prepare_optimizer(optimizer, [], None, True, True) is optimizer
        assert caplog.messages == []
        for _ in range(2):
            prepare_optimizer(optimizer, [], None, True, True, explicit=True)
        prepare_optimizer(ipex.optim.Lamb(layer().parameters()), [], None, True, False, explicit=True)
    assert caplog.messages == ["optimize: there is no fused step for RMSprop; its ordinary step is used"]
    assert type(optimizer) is torch.optim.RMSprop

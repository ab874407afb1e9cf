"""Weights of convolutions are put in channels-last order, unless somebody switched that off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

import torch_ipex_device as ipex

from .nets import assert_as_exact, assert_same_state, optimize


@pytest.fixture
def disabled() -> Iterator[None]:
    ipex.disable_auto_channels_last()
    assert not ipex.auto_channels_last_enabled()
    yield
    ipex.enable_auto_channels_last()
    assert ipex.auto_channels_last_enabled()


def model() -> nn.Module:
    layers = [
        nn.Conv2d(4, 6, 3),
        nn.ReLU(),
        nn.ConvTranspose2d(6, 4, 3),
        nn.Unflatten(1, (4, 1)),
        nn.Conv3d(4, 5, (1, 3, 3)),
    ]
    return nn.Sequential(*layers, nn.ConvTranspose3d(5, 4, 2)).eval()


def orders(model: nn.Module) -> list[bool]:
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    weights = [parameter for parameter in model.parameters() if parameter.dim() > 3]
    return [weight.is_contiguous(memory_format=formats[weight.dim()]) for weight in weights]


@pytest.mark.parametrize("options", [{}, {"weights_prepack": False}, {"dtype": torch.bfloat16}], ids=str)
def test_weights_change_order_and_nothing_else(options: dict[str, Any]) -> None:
    given = model()
    made = optimize(given, **options)
    assert orders(given) == [False] * 4 and orders(made) == [True] * 4
    assert_same_state(made.state_dict(), given.state_dict())
    if not options.get("dtype"):
        assert_as_exact(given, made, torch.randn(2, 4, 8, 8))


def test_level_O0_keeps_the_order() -> None:
    assert orders(optimize(model(), level="O0")) == [False] * 4


@pytest.mark.usefixtures("disabled")
def test_switched_off() -> None:
    assert orders(optimize(model())) == [False] * 4
    assert orders(optimize(nn.Conv2d(4, 6, 3).to(memory_format=torch.channels_last).eval())) == [True]


def test_training() -> None:
    given = model().train()
    made, _ = optimize(given, optimizer=torch.optim.SGD(given.parameters(), lr=0.1))
    assert orders(given) == [False] * 4 and orders(made) == [True] * 4


def test_subclasses_too() -> None:
    class Sub(nn.Conv2d):
        """A subclass."""

    assert orders(optimize(nn.Sequential(Sub(4, 6, 3)).eval())) == [True]

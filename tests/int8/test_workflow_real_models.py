"""Architectures of the wild, with random weights and batch norms that have seen data."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import torch_ipex_device as ipex
from torch_ipex_device.testing.torchvision_support import import_torchvision

from .comparing import EXACT
from .models import ENOUGH, Encoder, calibrate, float32, infer, made, names, same_bits, scales, sqnr


def small_densenet(**options: Any) -> nn.Module:
    return import_torchvision().models.DenseNet(8, (2, 2), 16, **options)


def of_torchvision(name: str) -> Callable[..., nn.Module]:
    return lambda **options: getattr(import_torchvision().models, name)(weights=None, **options)


# Decibels are what rounding to nearest in float64 gives too. Hardswish and squeeze-and-excitation after depthwise
# convolutions with random weights have a few large values each: 10 to 13 dB.
NETWORKS: dict[str, tuple[Callable[..., nn.Module], float]] = {
    "densenet": (small_densenet, ENOUGH),
    "mobilenet_v3_small": (of_torchvision("mobilenet_v3_small"), 8.0),
    "resnet18": (of_torchvision("resnet18"), ENOUGH),
}


def settled(factory: Callable[..., nn.Module], batches: list[Tensor]) -> nn.Module:
    """Returns a model on ipex whose batch norms have the statistics of the batches."""
    torch.manual_seed(0)
    model = factory(num_classes=50).train().requires_grad_(False)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    for x in batches:
        model(x.cpu())
    return model.eval().to("ipex")


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is None, reason="torchvision is not installed")
@pytest.mark.parametrize("name", NETWORKS)
def test_network_is_near_float32(name: str, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    batches = [torch.randn(4, 3, 64, 64, generator=generator).to("ipex") for _ in range(3)]
    factory, enough = NETWORKS[name]
    model = settled(factory, batches)
    expected = [float32(model, x) for x in batches]
    conf = ipex.AmpConf(torch.int8)
    results = calibrate(conf, model, batches[:2])
    conf.save(tmp_path / "recipe.json")
    assert same_bits(results, expected[:2])
    loaded = ipex.AmpConf(torch.int8, tmp_path / "recipe.json")
    assert scales(loaded) == scales(conf)
    for x, y in zip(batches, expected, strict=True):
        low = infer(loaded, model, x)
        assert enough - (0 if EXACT else 4) < sqnr(low, y) < 60  # weights have 6 bits there
        assert same_bits(infer(conf, model, x), low)


def test_transformer_block_is_near_float32(tmp_path: Path) -> None:
    model, generator = made(Encoder), torch.Generator().manual_seed(0)
    batches = [torch.randn(2, 9, 32, generator=generator).to("ipex") for _ in range(3)]
    expected, conf = [float32(model, x) for x in batches], ipex.AmpConf(torch.int8)
    assert same_bits(calibrate(conf, model, batches), expected)
    assert names(conf) == ["Linear", "Linear", "Add", "Linear", "Gelu", "Linear", "Add"]
    conf.save(tmp_path / "recipe.json")
    entries = conf.calibration.entries()
    assert [entry.quantized for entry in entries] == [entry.name != "Add" for entry in entries]  # the stream is float32
    for x, y in zip(batches, expected, strict=True):
        assert ENOUGH < sqnr(infer(ipex.AmpConf(torch.int8, tmp_path / "recipe.json"), model, x), y) < 80

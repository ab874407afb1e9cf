"""Small operators with fixed parameters, on ipex and in float64 on the CPU, and what tells an open tensor."""

from __future__ import annotations

import copy

import torch
from torch import nn

from torch_ipex_device import _C

DEVICE = "ipex"


def is_open(tensor: torch.Tensor) -> bool:
    """Returns whether the values of the tensor are still to be computed."""
    return _C.physical_form(tensor)["open"]


def convolution(channels: int = 16, out: int = 32, bias: bool = True, seed: int = 0) -> nn.Conv2d:
    """Returns a 3 x 3 convolution on the CPU that keeps height and width."""
    torch.manual_seed(seed)
    return nn.Conv2d(channels, out, 3, padding=1, bias=bias).eval().requires_grad_(False)


def batch_norm(channels: int = 32, seed: int = 1) -> nn.BatchNorm2d:
    """Returns a batch norm in evaluation with statistics and parameters that matter."""
    torch.manual_seed(seed)
    norm = nn.BatchNorm2d(channels).eval().requires_grad_(False)
    for values in (norm.running_mean, norm.weight, norm.bias):
        assert values is not None
        values.data.normal_()
    assert norm.running_var is not None
    norm.running_var.uniform_(0.5, 2)
    return norm


def image(channels: int = 16, size: int = 12, seed: int = 2) -> torch.Tensor:
    """Returns a batch of two images on the CPU."""
    torch.manual_seed(seed)
    return torch.randn(2, channels, size, size)


def on_device(thing):
    """Returns a copy of a module or tensor on ipex."""
    return copy.deepcopy(thing).to(DEVICE)


def exact(thing):
    """Returns a copy of a module or tensor in float64 on the CPU."""
    return copy.deepcopy(thing).cpu().double()


def assert_close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    """Asserts that an ipex tensor is the float64 tensor to float32 rounding."""
    torch.testing.assert_close(actual.cpu().double(), expected.double(), rtol=2e-5, atol=2e-5, equal_nan=True)

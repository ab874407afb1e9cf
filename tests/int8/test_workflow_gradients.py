"""What int8 means for native kernels that are switched off, and for gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torch_ipex_device as ipex
from torch_ipex_device import _C

from .models import Residual, assert_near, calibrate, calibrated, float32, image, infer, made, names, same_bits

BATCHES = [image(seed) for seed in range(3)]


def test_without_native_kernels_all_is_float32() -> None:
    model = made(Residual)
    conf = calibrated(model, BATCHES)
    low = [infer(conf, model, x) for x in BATCHES]
    _C.set_native_enabled(False)
    try:
        full = [float32(model, x) for x in BATCHES]
        assert same_bits([infer(conf, model, x) for x in BATCHES], full)
        other = ipex.AmpConf(torch.int8)
        assert same_bits(calibrate(other, model, BATCHES), full)
        assert names(other) == []
    finally:
        _C.set_native_enabled(True)
    assert same_bits([infer(conf, model, x) for x in BATCHES], low)


def gradients(model: nn.Module, x: Tensor, result: Callable[[], Tensor]) -> list[Any]:
    """Returns the result and the gradients of its square sum, of the input and of all parameters."""
    y = result()
    tensors = [x, *model.parameters()]
    return [y.detach().cpu(), *(each.cpu() for each in torch.autograd.grad(y.square().sum(), tensors))]


class Smooth(nn.Module):
    """Has no operator whose gradient jumps where values are rounded."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.out = nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.silu(self.norm(self.conv(x))).mean((2, 3)))


def test_backward_takes_no_entries_and_is_straight_through() -> None:
    """Gradients are those of float32 operators at the rounded values, wherever backward is called."""
    torch.manual_seed(0)
    model, x = Smooth().to("ipex").eval(), BATCHES[0].clone().requires_grad_()
    full, conf = gradients(model, x, lambda: model(x)), ipex.AmpConf(torch.int8)
    for _ in range(2):
        with ipex.AutoMixPrecision(conf, running_mode="calibration"):
            assert same_bits(gradients(model, x, lambda: model(x)), full)
    assert names(conf) == ["Convolution", "BatchNorm", "Silu", "Linear"]
    with ipex.AutoMixPrecision(conf):
        inside = gradients(model, x, lambda: model(x))
        again = gradients(model, x, lambda: model(x))
        forward = model(x)
    assert same_bits(inside, again)
    assert same_bits(inside, gradients(model, x, lambda: forward))
    assert not torch.equal(inside[0], full[0])
    for low, expected in zip(inside, full, strict=True):
        assert_near(low, expected)

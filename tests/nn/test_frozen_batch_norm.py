"""FrozenBatchNorm2d and frozen_batch_norm: fixed statistics, names of the archived state, gradients of the input."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from torch_ipex_device.nn import FrozenBatchNorm2d
from torch_ipex_device.nn.functional import frozen_batch_norm

DEVICES = pytest.mark.parametrize("device", ["cpu", "ipex"])


def trained(channels: int = 5) -> FrozenBatchNorm2d:
    torch.manual_seed(0)
    layer = FrozenBatchNorm2d(channels, eps=1e-3)
    for name, buffer in layer.named_buffers():
        buffer.copy_(torch.rand(channels) + 0.5 if name == "running_var" else torch.randn(channels))
    return layer


def reference(x: Tensor, layer: FrozenBatchNorm2d) -> Tensor:
    shape = (1, -1, *(1,) * (x.dim() - 2))
    weight, bias, mean, variance = (each.double().cpu().view(shape) for each in layer.buffers())
    return (x - mean) / (variance + layer.eps).sqrt() * weight + bias


@DEVICES
@pytest.mark.parametrize("shape", [(3, 5, 7, 6), (2, 5, 3, 4, 4), (2, 5, 9), (4, 5), (0, 5, 4, 4)], ids=str)
@pytest.mark.parametrize("training", [True, False])
def test_values_and_gradients(device: str, shape: tuple[int, ...], training: bool) -> None:
    layer = trained().train(training)
    x, diff = torch.randn(shape), torch.randn(shape)
    exact = x.double().requires_grad_()
    expected = reference(exact, layer)
    (expected * diff).sum().backward()
    leaf = x.to(device).requires_grad_()
    result = layer.to(device)(leaf)
    (result * diff.to(device)).sum().backward()
    assert leaf.grad is not None and exact.grad is not None
    torch.testing.assert_close(result.detach().cpu(), expected.detach().float(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(leaf.grad.cpu(), exact.grad.float(), rtol=1e-5, atol=1e-5)


@DEVICES
def test_statistics_never_change(device: str) -> None:
    layer = trained().to(device).train()
    before = copy.deepcopy(layer.state_dict())
    layer(torch.randn(4, 5, 3, 3, device=device))
    assert all(torch.equal(value.cpu(), before[name].cpu()) for name, value in layer.state_dict().items())


def test_names_of_the_state_and_no_parameters() -> None:
    layer = FrozenBatchNorm2d(3)
    assert list(layer.state_dict()) == ["weight", "bias", "running_mean", "running_var"]
    assert list(layer.parameters()) == []
    assert layer.eps == 1e-5


def test_new_layer_changes_little() -> None:
    x = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(FrozenBatchNorm2d(3)(x), x / (1 + 1e-5) ** 0.5)


def test_checkpoint_of_batch_norm_loads() -> None:
    stock = nn.BatchNorm2d(5)
    stock(torch.randn(8, 5, 4, 4) * 3 + 1)
    model, frozen = nn.Sequential(stock).eval(), nn.Sequential(FrozenBatchNorm2d(5))
    frozen.load_state_dict(model.state_dict())
    x = torch.randn(2, 5, 4, 4)
    torch.testing.assert_close(frozen(x), model(x))
    with pytest.raises(RuntimeError, match="running_mean"):
        frozen.load_state_dict({"0.weight": torch.ones(5)})


def test_function_of_the_device_api_has_no_eps() -> None:
    layer = trained()
    x = torch.randn(2, 5, 3, 3)
    layer.eps = 0.0
    torch.testing.assert_close(
        frozen_batch_norm(x, layer.weight, layer.bias, layer.running_mean, layer.running_var),
        reference(x.double(), layer).float(),
    )


def test_values_behind_a_convolution_in_inference() -> None:
    model = nn.Sequential(nn.Conv2d(3, 5, 3), trained(), nn.ReLU()).to("ipex").eval()
    x = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        result = model(x.to("ipex")).cpu()
        expected = copy.deepcopy(model).cpu()(x)
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)


def test_negative_channels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[FrozenBatchNorm2d\] E103 got num_features=-1"):
        FrozenBatchNorm2d(-1)

"""LinearRelu, IPEXLinearEltwise, IpexMLPLinear: a linear layer and an activation, with gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from torch_ipex_device.nn.modules import IPEXLinearEltwise, IpexMLPLinear, LinearRelu

DEVICES = pytest.mark.parametrize("device", ["cpu", "ipex"])
ACTIVATIONS: dict[str | None, Callable[[Tensor], Tensor]] = {
    None: lambda x: x,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
}


def layers() -> dict[str, tuple[nn.Module, str | None]]:
    torch.manual_seed(0)
    made: dict[str, tuple[nn.Module, str | None]] = {
        "LinearRelu": (LinearRelu(12, 7), "relu"),
        "LinearRelu without bias": (LinearRelu(12, 7, bias=False), "relu"),
        "IPEXLinearEltwise relu": (IPEXLinearEltwise(nn.Linear(12, 7)), "relu"),
        "IPEXLinearEltwise sigmoid": (IPEXLinearEltwise(nn.Linear(12, 7, bias=False), "sigmoid"), "sigmoid"),
    }
    for act in ACTIVATIONS:
        made[f"IpexMLPLinear {act}"] = (IpexMLPLinear(12, 7, act_type=act, output_stays_blocked=False), act)
    made["IpexMLPLinear without bias"] = (IpexMLPLinear(12, 7, bias=False), None)
    return made


def reference(layer: nn.Module, activation: str | None, x: Tensor) -> Tensor:
    state = {name.removeprefix("m."): value.double().cpu() for name, value in layer.state_dict().items()}
    result = x.double() @ state["weight"].T + state.get("bias", torch.zeros(1))
    return ACTIVATIONS[activation](result)


@DEVICES
@pytest.mark.parametrize("name", layers())
@pytest.mark.parametrize("shape", [(5, 12), (2, 3, 12), (0, 12)], ids=str)
def test_values_with_and_without_gradients(device: str, name: str, shape: tuple[int, ...]) -> None:
    layer, activation = layers()[name]
    x = torch.randn(shape)
    expected = reference(layer, activation, x).float()
    layer.to(device)
    with torch.no_grad():
        torch.testing.assert_close(layer(x.to(device)).cpu(), expected, rtol=1e-5, atol=1e-5)
    result = layer(x.to(device))
    assert result.requires_grad
    torch.testing.assert_close(result.detach().cpu(), expected, rtol=1e-5, atol=1e-5)


@DEVICES
@pytest.mark.parametrize("name", layers())
def test_gradients(device: str, name: str) -> None:
    layer, activation = layers()[name]
    x, diff = torch.randn(5, 12), torch.randn(5, 7)
    weight = next(value for key, value in layer.named_parameters() if key.endswith("weight"))
    exact = [each.detach().double().requires_grad_() for each in (x, weight)]
    bias = next((value.double() for key, value in layer.state_dict().items() if key.endswith("bias")), torch.zeros(1))
    (ACTIVATIONS[activation](exact[0] @ exact[1].T + bias) * diff).sum().backward()
    layer.to(device)
    leaf = x.to(device).requires_grad_()
    (layer(leaf) * diff.to(device)).sum().backward()
    weight = next(value for key, value in layer.named_parameters() if key.endswith("weight"))
    for tensor, other in ((leaf, exact[0]), (weight, exact[1])):
        assert tensor.grad is not None and other.grad is not None
        torch.testing.assert_close(tensor.grad.cpu(), other.grad.float(), rtol=1e-5, atol=1e-5)


def test_linear_relu_loads_the_state_of_linear() -> None:
    stock, layer = nn.Linear(6, 3), LinearRelu(6, 3)
    layer.load_state_dict(stock.state_dict())
    x = torch.randn(4, 6)
    torch.testing.assert_close(layer(x), stock(x).relu())


def test_new_mlp_layer_has_the_weights_of_linear() -> None:
    torch.manual_seed(5)
    stock = nn.Linear(6, 3)
    torch.manual_seed(5)
    layer = IpexMLPLinear(6, 3)
    assert torch.equal(layer.weight, stock.weight) and layer.bias is not None and torch.equal(layer.bias, stock.bias)


def test_chain_of_mlp_layers_needs_no_change() -> None:
    torch.manual_seed(0)
    chain = nn.Sequential(IpexMLPLinear(8, 6, act_type="relu"), IpexMLPLinear(6, 2, output_stays_blocked=False))
    chain[1].set_activation_type("sigmoid")
    assert chain(torch.randn(4, 8)).shape == (4, 2)
    assert "act_type=sigmoid" in repr(chain)


def test_eltwise_shares_the_layer_that_it_got() -> None:
    stock = nn.Linear(4, 4)
    layer = IPEXLinearEltwise(stock)
    with torch.no_grad():
        layer(torch.ones(1, 4))
        stock.weight.fill_(1)
        stock.bias.zero_()
        assert layer(torch.ones(1, 4)).tolist() == [[4.0] * 4]


@pytest.mark.parametrize(
    "make", [lambda name: IpexMLPLinear(2, 2, act_type=name), lambda name: IPEXLinearEltwise(nn.Linear(2, 2), name)]
)
def test_other_activations_are_refused(make: Callable[[str], Any]) -> None:
    with pytest.raises(ValueError, match=r"E103 got 'gelu' as activation; accepted: .*'relu', 'sigmoid'"):
        make("gelu")


def test_other_modules_are_refused() -> None:
    with pytest.raises(TypeError, match=r"E101 got Conv2d; accepted: torch.nn.Linear"):
        IPEXLinearEltwise(nn.Conv2d(1, 1, 1))  # type: ignore[arg-type]

"""Models that live on ipex, or move there."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import pytest
import torch
from torch import nn

import torch_ipex_device as ipex

from .nets import assert_near, assert_same_state, exact, image, net, optimize, run


def cpu_state(model: nn.Module) -> dict[str, Any]:
    return {key: value.cpu() for key, value in model.state_dict().items()}


@pytest.mark.parametrize("options", [{}, {"concat_linear": True}, {"graph_mode": True}, {"level": "O0"}], ids=str)
def test_model_on_ipex(options: dict[str, Any]) -> None:
    model = net()
    made = optimize(copy.deepcopy(model).to(ipex.DEVICE), **options)
    assert {parameter.device.type for parameter in made.parameters()} == {"ipex"}
    for _ in range(2):
        assert_near(run(made, image().to(ipex.DEVICE)).cpu(), exact(model, image()), 4)
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in cpu_state(made).items())
    folded = options.get("level") != "O0"
    assert isinstance(made.norm, nn.Identity) == isinstance(made.drop, nn.Identity) == folded


def test_operators_are_native_there_already() -> None:
    model = net().to(ipex.DEVICE)
    made = optimize(model, linear_bn_folding=False)
    kinds = ("conv", "left", "layer_norm", "act", "lstm")
    assert [type(getattr(made, name)) for name in kinds] == [type(getattr(model, name)) for name in kinds]


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_optimised_model_moves_there_and_back(dtype: torch.dtype | None) -> None:
    model = net()
    made = optimize(model, dtype).to(ipex.DEVICE)
    if dtype is None:
        assert_near(run(made, image().to(ipex.DEVICE)).cpu(), exact(model, image()), 4)
    assert {value.device.type for value in made.state_dict().values()} == {"ipex"}
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in cpu_state(made).items())
    made.load_state_dict(net(1).state_dict())
    made.cpu()
    assert_same_state(made.state_dict(), net(1).state_dict())
    if dtype is None:
        assert_near(run(made, image()), exact(net(1), image()), 4)


def test_low_precision_there() -> None:
    model = net()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = optimize(copy.deepcopy(model).to(ipex.DEVICE), torch.bfloat16, sample_input=image().to(ipex.DEVICE))
    with torch.autocast("ipex", torch.bfloat16):
        result = run(made, image().to(ipex.DEVICE))
    torch.testing.assert_close(result.cpu().float(), run(model, image()), rtol=0.05, atol=0.05)
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in cpu_state(made).items())


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_training_there(dtype: torch.dtype | None) -> None:
    model = net().train().to(ipex.DEVICE)
    made, optimizer = optimize(model, dtype, torch.optim.SGD(model.parameters(), lr=0.1))
    with torch.autocast("ipex", torch.bfloat16, enabled=dtype is not None):
        loss = made(image().to(ipex.DEVICE)).float().square().mean()
    loss.backward()
    optimizer.step()
    state = made.state_dict()
    assert {value.dtype for value in state.values()} == {torch.float32, torch.int64}
    assert not torch.equal(state["left.weight"].cpu(), model.state_dict()["left.weight"].cpu())

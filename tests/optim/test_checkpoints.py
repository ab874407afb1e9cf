"""Checkpoints of prepared optimizers are PyTorch's, both ways; copies and pickles train on."""

from __future__ import annotations

import copy
import io
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import torch_ipex_device as ipex
from torch_ipex_device.optim import batches
from torch_ipex_device.optim.front_end import master_of, set_master

from .cases import CASES, DEVICES, FUSED, IDS, Make, assert_same, layer, masters, prepare, steps

MODES = {"split": {"split": True}, "master": {"split": False}, "float16": {"dtype": torch.float16}}


def model_state(optimizer: torch.optim.Optimizer, net: nn.Module) -> dict[str, Tensor]:
    """What the front end shows as `state_dict` of the model."""
    return {name: master_of(optimizer, parameter).clone() for name, parameter in net.named_parameters()}


def saved(value: Any) -> Any:
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("make", "options"), CASES, ids=IDS)
def test_resumed_training_equals_uninterrupted_training(
    make: Make, options: dict[str, Any], device: str, mode: str
) -> None:
    net = layer(device)
    optimizer = prepare(make(net.parameters(), **options), [net], fuse=True, **MODES[mode])
    steps(optimizer, list(net.parameters()), 3)
    model, state = saved(model_state(optimizer, net)), saved(optimizer.state_dict())
    steps(optimizer, list(net.parameters()), 3, first=3)

    other = layer(device)
    resumed = prepare(make(other.parameters(), **options), [other], fuse=True, **MODES[mode])
    for name, parameter in other.named_parameters():
        set_master(resumed, parameter, model[name])
    resumed.load_state_dict(state)
    steps(resumed, list(other.parameters()), 3, first=3)
    assert_same(masters(resumed, list(other.parameters())), masters(optimizer, list(net.parameters())))
    assert_same(list(other.parameters()), list(net.parameters()))


@pytest.mark.parametrize(("make", "options"), CASES, ids=IDS)
def test_checkpoint_is_that_of_the_class_on_float32(make: Make, options: dict[str, Any]) -> None:
    net, plain_net = layer(), layer()
    optimizer, plain = prepare(make(net.parameters(), **options), [net]), make(plain_net.parameters(), **options)
    for each, model in ((optimizer, net), (plain, plain_net)):
        steps(each, list(model.parameters()), 2)
    got, expected = optimizer.state_dict(), plain.state_dict()
    assert got["param_groups"] == expected["param_groups"]
    assert list(got["state"]) == list(expected["state"])
    for a, b in zip(got["state"].values(), expected["state"].values(), strict=True):
        assert a.keys() == b.keys()
        assert_same([torch.as_tensor(v) for v in a.values()], [torch.as_tensor(v) for v in b.values()])


class Unknown(torch.optim.SGD):
    """No row of the table, so it steps on all parameters at once."""


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("make", [torch.optim.AdamW, Unknown, ipex.optim.Lamb])
def test_state_is_listed_in_the_order_of_a_float32_model(
    make: Make, grouped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is updated first: pieces of large parameters, full batches, parameters without masters, the rest."""
    monkeypatch.setattr(batches, "_SIZE", 64)

    def keys(dtype: torch.dtype | None) -> list[list[int]]:
        nets = nn.ModuleList([nn.Linear(4, 4), nn.Linear(16, 16), nn.Linear(5, 5), nn.Linear(9, 9), nn.Linear(3, 3)])
        parameters = list(nets.parameters())
        groups = [{"params": parameters[:5]}, {"params": parameters[5:]}] if grouped else parameters
        options = {"momentum": 0.9} if make is Unknown else {}
        optimizer = prepare(make(groups, lr=0.01, **options), [*nets[:2], *nets[3:]], dtype=dtype)
        found = []
        for late in (2, 3, None):  # parameters that have no gradient yet
            nets.zero_grad()
            steps_with = [p for i, p in enumerate(parameters) if late is None or i % late]
            for parameter in steps_with:
                parameter.grad = torch.ones_like(parameter)
            optimizer.step()
            found.append(list(optimizer.state_dict()["state"]))
        copied = copy.deepcopy(optimizer)
        copied.load_state_dict(optimizer.state_dict())
        return [*found, list(copied.state_dict()["state"])]

    assert keys(torch.bfloat16) == keys(None)


@pytest.mark.parametrize(("make", "options"), CASES, ids=IDS)
def test_stock_checkpoint_continues_in_bfloat16_and_back(make: Make, options: dict[str, Any]) -> None:
    plain_net = layer()
    plain = make(plain_net.parameters(), **options)
    steps(plain, list(plain_net.parameters()), 2)

    net = layer()
    net.load_state_dict(plain_net.state_dict())
    optimizer = prepare(make(net.parameters(), **options), [net])
    optimizer.load_state_dict(copy.deepcopy(plain.state_dict()))
    steps(optimizer, list(net.parameters()), 2, first=2)

    back_net = layer()
    back_net.load_state_dict(model_state(optimizer, net))
    back = make(back_net.parameters(), **options)
    back.load_state_dict(optimizer.state_dict())
    steps(back, list(back_net.parameters()), 2, first=4)
    steps(plain, list(plain_net.parameters()), 4, first=2)
    assert_same(list(back_net.parameters()), list(plain_net.parameters()))


STOCK = """
import sys
import torch

model, state = torch.load("checkpoint.pt", weights_only=True, map_location="cpu")
net = torch.nn.Linear(7, 5)
net.load_state_dict(model)
optimizer = getattr(torch.optim, sys.argv[1])(net.parameters(), lr=0.5)
optimizer.load_state_dict(state)
for parameter in net.parameters():
    parameter.grad = torch.ones_like(parameter)
optimizer.step()
assert "torch_ipex_device" not in sys.modules
torch.save([p.detach() for p in net.parameters()], "after.pt")
"""


@pytest.mark.parametrize("make", [torch.optim.SGD, torch.optim.AdamW, torch.optim.Adagrad])
@pytest.mark.parametrize("device", DEVICES)
def test_checkpoint_loads_where_the_package_is_not(make: Make, device: str, tmp_path: Path) -> None:
    net = layer(device)
    optimizer = prepare(make(net.parameters(), lr=0.1), [net], fuse=True)
    steps(optimizer, list(net.parameters()), 2)
    torch.save((model_state(optimizer, net), optimizer.state_dict()), tmp_path / "checkpoint.pt")
    environment = {**os.environ, "TORCH_DEVICE_BACKEND_AUTOLOAD": "0"}
    done = subprocess.run(
        [sys.executable, "-c", STOCK, make.__name__], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    for got, expected in zip(
        torch.load(tmp_path / "after.pt"), masters(optimizer, list(net.parameters())), strict=True
    ):
        torch.testing.assert_close(got, expected)  # the fused kernel here, the ordinary step there


def test_groups_of_other_sizes_are_refused_and_change_nothing() -> None:
    net = layer()
    optimizer = prepare(torch.optim.AdamW(net.parameters()), [net])
    steps(optimizer, list(net.parameters()), 1)
    state = optimizer.state_dict()
    state["param_groups"][0]["params"] = [0]
    with pytest.raises(ValueError, match="doesn't match the size"):
        optimizer.load_state_dict(state)
    assert [id(p) for p in optimizer.param_groups[0]["params"]] == [id(p) for p in net.parameters()]
    assert set(optimizer.state) == set(net.parameters())
    steps(optimizer, list(net.parameters()), 1)


def test_hooks_around_loading_see_the_parameters_of_the_model() -> None:
    net = layer()
    optimizer = prepare(torch.optim.AdamW(net.parameters()), [net])
    steps(optimizer, list(net.parameters()), 1)
    seen = []

    def before(each: torch.optim.Optimizer, state: dict[str, Any]) -> dict[str, Any]:
        seen.append(each.param_groups[0]["params"][0] is net.weight)
        state = copy.deepcopy(state)
        state["state"][0]["exp_avg"].fill_(1 / 3)
        return state

    optimizer.register_load_state_dict_pre_hook(before)
    optimizer.register_load_state_dict_post_hook(
        lambda each: seen.append(each.param_groups[0]["params"][0] is net.weight)
    )
    optimizer.load_state_dict(optimizer.state_dict())
    assert seen == [True, True]
    assert torch.equal(optimizer.state[net.weight]["exp_avg"], torch.full((5, 7), 1 / 3))
    assert len(optimizer._optimizer_load_state_dict_pre_hooks) == 1


COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda pair: pickle.loads(pickle.dumps(pair))}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("make", [torch.optim.SGD, torch.optim.AdamW, ipex.optim.Lamb, torch.optim.RMSprop])
def test_copies_train_on_by_themselves(make: Make, mode: str, how: str) -> None:
    net = layer()
    optimizer = prepare(make(net.parameters(), lr=0.01), [net], fuse=make in FUSED, **MODES[mode])
    steps(optimizer, list(net.parameters()), 2)
    before = masters(optimizer, list(net.parameters()))
    other, copied = COPIES[how]((net, optimizer))
    assert type(copied) is type(optimizer) and isinstance(copied, make)
    steps(copied, list(other.parameters()), 2, first=2)
    assert_same(masters(optimizer, list(net.parameters())), before)
    steps(optimizer, list(net.parameters()), 2, first=2)
    assert_same(masters(copied, list(other.parameters())), masters(optimizer, list(net.parameters())))
    assert [p.grad_dtype for p in other.parameters()] == [p.grad_dtype for p in net.parameters()]


LOAD = """
import sys
import torch, torch_ipex_device
net, optimizer = torch.load("both.pt", weights_only=False)
for parameter in net.parameters():
    parameter.grad = torch.ones_like(parameter)
optimizer.step()
torch.save([optimizer._ipex_masters.read(p) for p in net.parameters()], "after.pt")
"""


def test_pickles_load_in_another_process(tmp_path: Path) -> None:
    net = layer()
    optimizer = prepare(torch.optim.AdamW(net.parameters(), lr=0.1), [net])
    steps(optimizer, list(net.parameters()), 1)
    torch.save((net, optimizer), tmp_path / "both.pt")
    done = subprocess.run([sys.executable, "-c", LOAD], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    assert_same(torch.load(tmp_path / "after.pt"), masters(optimizer, list(net.parameters())))

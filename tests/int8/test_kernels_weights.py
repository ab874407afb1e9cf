"""Parameters of operators in int8: they stay as they are, and changes are seen."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import torch_ipex_device as ipex

from .running import Program, batch_norm, calibrate, check, infer, on_device, threads, values

IMAGE = values(2, 5, 6, 7)


@pytest.fixture(autouse=True)
def one_thread():
    with threads(1):
        yield


def convolution():
    torch.manual_seed(0)
    return nn.Conv2d(5, 7, 3)


def test_parameters_and_inputs_stay_as_they_are():
    torch.manual_seed(0)
    model = Program(
        lambda m, x: m.last(F.relu(m.norm(m.first(x))).flatten(1)),
        first=convolution(),
        norm=batch_norm(7),
        last=nn.Linear(140, 3),
    )
    there, x = on_device(model), IMAGE(1).to("ipex")
    conf = calibrate(there, IMAGE(0).to("ipex"))
    for _ in range(2):
        infer(there, conf, x).cpu()
    assert torch.equal(x.cpu(), IMAGE(1))
    for name, tensor in there.state_dict().items():
        assert torch.equal(tensor.cpu(), model.state_dict()[name]), name
        assert tensor.dtype == model.state_dict()[name].dtype


CHANGES = {
    "mul_": lambda model: model.first.weight.mul_(1.3),
    "a part": lambda model: model.first.weight[2].fill_(0.1),
    "copy_": lambda model: model.last.weight.copy_(torch.linspace(-1, 1, 21).view(3, 7, 1, 1)),
    "data": lambda model: setattr(model.first.weight, "data", model.first.weight * -1),
    "another parameter": lambda model: setattr(model.first, "weight", nn.Parameter(model.first.weight * 0.5)),
    "bias": lambda model: model.first.bias.add_(0.4),
    "statistics": lambda model: model.norm.running_var.mul_(1.7),
    "load": lambda model: model.load_state_dict({name: value * 0.8 for name, value in model.state_dict().items()}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_parameters_are_seen(change):
    def body(m, x):
        return m.last(F.relu(m.norm(m.first(x))))

    torch.manual_seed(0)
    model = on_device(Program(body, first=convolution(), norm=batch_norm(7), last=nn.Conv2d(7, 3, 1)))
    conf, x = calibrate(model, IMAGE(0).to("ipex")), IMAGE(1).to("ipex")
    first = infer(model, conf, x).cpu()
    with torch.no_grad():
        CHANGES[change](model)
    second = infer(model, conf, x).cpu()
    fresh = on_device(Program(body, first=convolution(), norm=batch_norm(7), last=nn.Conv2d(7, 3, 1)))
    fresh.load_state_dict(model.state_dict())
    assert not torch.equal(first, second)
    assert torch.equal(second, infer(fresh, conf, x).cpu())


@pytest.mark.parametrize("stem", [True, False], ids=["inside", "at the front"])
def test_a_module_that_is_called_twice(stem):
    def body(m, x):
        y = F.relu(m.conv(m.stem(x) if stem else x))
        return m.conv(y * 3)

    def edit(entries):
        convolutions = [entry for entry in entries if entry.name == "Convolution"]
        convolutions[-1].weight_granularity = "per_tensor"

    torch.manual_seed(0)
    layers = {"stem": nn.Conv2d(5, 5, 1), "conv": nn.Conv2d(5, 5, 3, padding=1)}
    check(Program(body, **layers), IMAGE)
    check(Program(body, **layers), IMAGE, edit)


def test_float32_afterwards_is_as_before():
    model, x = on_device(Program(lambda m, x: m.layer(x), layer=convolution())), IMAGE(1).to("ipex")
    with torch.no_grad():
        before = model(x).cpu()
        conf = calibrate(model, IMAGE(0).to("ipex"))
        assert not torch.equal(infer(model, conf, x).cpu(), before)
        assert torch.equal(model(x).cpu(), before)
        assert ipex.physical_form(x).dtype == "Float"

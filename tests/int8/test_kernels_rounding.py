"""Results in int8 are rounded when an operator in int8 reads them: who sees that, and that looking at them changes nothing."""

from __future__ import annotations

import copy
import io

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import torch_ipex_device as ipex

from .blocks import layers
from .comparing import needs_exact_sums
from .running import Program, calibrate, check, fusion, infer, on_device, threads, values

IMAGE = values(2, 5, 6, 7)


@pytest.fixture(autouse=True)
def fused_by_one_thread():
    with threads(1), fusion(True):
        yield


LOOKS = {
    "cpu": lambda t: t.cpu(),
    "data_ptr": lambda t: t.data_ptr(),
    "repr": repr,
    "deepcopy": copy.deepcopy,
    "save": lambda t: torch.save(t, io.BytesIO()),
    "sum": lambda t: t.sum().item(),
    "tolist": lambda t: t.tolist(),
    "view": lambda t: t.view(-1).max(),
    "physical_form": ipex.physical_form,
    "synchronize": lambda t: torch.ipex.synchronize(),
}


READS = {"tanh": torch.tanh, "sum": lambda t: t.sum(), "data_ptr": lambda t: t.data_ptr()}


@needs_exact_sums
@pytest.mark.parametrize("is_fused", [True, False], ids=["fused", "not fused"])
@pytest.mark.parametrize("read", READS)
def test_a_rounded_tensor_stays_one(read, is_fused):
    def body(m, x):
        x = F.relu(m.stem(x))
        y = m.conv2(F.relu(m.conv1(x)))
        READS[read](x)
        return x + y

    check(Program(body, **layers()), IMAGE, fused=[is_fused])


@pytest.mark.parametrize("look", LOOKS)
def test_looking_at_a_tensor_changes_no_later_result(look):
    looks = False

    def body(m, x):
        def see(t):
            if looks:
                LOOKS[look](t)
            return t

        x = see(F.relu(see(m.stem(x))))
        y = see(F.relu(see(m.norm1(see(m.conv1(x))))))
        y = see(m.norm2(m.conv2(y)))
        see(x)
        y = see(y + x)
        return m.last(F.relu(y))

    model = on_device(Program(body, **layers()))
    conf, x = calibrate(model, IMAGE(0).to("ipex")), IMAGE(1).to("ipex")
    expected = infer(model, conf, x).cpu()
    looks = True
    assert torch.equal(infer(model, conf, x).cpu(), expected)


WHO = {
    "linear": (lambda size: Program(lambda m, x: m.layer(x), layer=nn.Linear(24, 16)), lambda size: values(size, 24)),
    "channels last": (
        lambda size: Program(lambda m, x: m.layer(x), layer=nn.Conv2d(24, 16, 1)),
        lambda size: values(1, 24, 1, size, layout=torch.channels_last),
    ),
}


@pytest.mark.parametrize("is_fused", [True, False], ids=["fused", "not fused"])
@pytest.mark.parametrize("size", [8, 2000])
@pytest.mark.parametrize("name", WHO)
def test_everybody_sees_what_was_rounded(name, is_fused, size):
    torch.manual_seed(0)
    make, inputs = WHO[name]
    model, x = on_device(make(size)), inputs(size)(1).to("ipex")
    conf = calibrate(model, x)
    scale = conf.calibration.entries()[0].outputs_scale[0]
    with torch.no_grad(), fusion(is_fused), ipex.AutoMixPrecision(conf, "inference"):
        result = model(x)
        torch.cat([result])
    steps = result.cpu().double() * scale
    assert (steps - steps.round()).abs().max() < 1e-3


@needs_exact_sums
@pytest.mark.parametrize("is_fused", [True, False], ids=["fused", "not fused"])
def test_a_small_part_that_is_rounded_rounds_the_whole(is_fused):
    def body(m, x):
        y = m.stem(x)
        z = m.part(y[:, :5])
        return y + z

    check(Program(body, part=nn.Conv2d(5, 16, 1), **layers()), IMAGE, fused=[is_fused])

"""Operators in int8 hand int8 to each other: what is held, what is computed as one primitive, and that nobody notices."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import torch_ipex_device as ipex
from torch_ipex_device import _C

from .blocks import PROGRAMS, block_with_a_convolution_as_shortcut, layers, residual_block
from .comparing import int8_ran
from .running import Program, calibrate, fusion, infer, on_device, threads, values

IMAGE = values(2, 5, 6, 7)


@pytest.fixture(autouse=True)
def fused_by_one_thread():
    with threads(1), fusion(True):
        yield


@pytest.mark.parametrize("is_fused", [True, False], ids=["fused", "not fused"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_nothing_becomes_float32_in_between(name, is_fused):
    model = on_device(Program(PROGRAMS[name], **layers()))
    conf, x = calibrate(model, IMAGE(0).to("ipex")), IMAGE(1).to("ipex")
    with fusion(is_fused):
        infer(model, conf, x).cpu()
        _C.reset_form_statistics()
        result = infer(model, conf, x)
        torch.ipex.synchronize()
    statistics = _C.form_statistics()
    assert statistics["materializations"] == 0
    assert statistics["packs"] == 0
    assert result.isfinite().all()


def primitives(explanation):
    """The names of the chains that ran, and whether each multiplied in int8."""
    rows = [row for row in explanation.rows if row.path == "native" and not row.operator.startswith("aten::")]
    assert all(int8_ran((row,)) for row in rows), str(explanation)
    return [row.operator for row in rows for _ in range(row.calls)]


EXPECTED = {
    "chain": ["convolution+relu", *["convolution+batch_norm+relu"] * 2, "convolution"],
    "residual_block": [
        "convolution+relu",
        "convolution+batch_norm+relu",
        "convolution+batch_norm+add+relu",
        "convolution",
    ],
    "block_with_a_convolution_as_shortcut": [
        "convolution+relu",
        "convolution+batch_norm+relu",
        "convolution+batch_norm",
        "convolution+batch_norm+add+relu",
        "convolution",
    ],
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_chain_is_one_primitive(name):
    model = on_device(Program(PROGRAMS[name], **layers()))
    conf, x = calibrate(model, IMAGE(0).to("ipex")), IMAGE(1).to("ipex")
    with ipex.explain() as explanation:
        infer(model, conf, x).cpu()
    assert primitives(explanation) == EXPECTED[name]
    for row in explanation.rows:
        if row.operator in EXPECTED[name]:
            assert row.fused == row.operator.removeprefix("convolution").removeprefix("+")


def test_loops_of_our_own_apply_nothing():
    model = on_device(Program(residual_block, **layers()))
    conf, x = calibrate(model, IMAGE(0).to("ipex")), IMAGE(1).to("ipex")
    before = torch.ipex.fusion_stats()
    infer(model, conf, x).cpu()
    after = torch.ipex.fusion_stats()
    assert (after.fused - before.fused, after.applied - before.applied) == (6, 0)


def test_what_results_are_held_in():
    held = {}

    def body(m, x):
        x = m.stem(x)
        y = F.relu(m.conv1(x))
        z = m.conv2(y)
        held.update(x=x, y=y, z=z)
        return z

    model = on_device(Program(body, **layers()))
    conf = calibrate(model, IMAGE(0).to("ipex"), probe=False)
    entries = conf.calibration.entries()
    assert [entry.name for entry in entries] == ["Convolution", "Convolution", "Relu", "Convolution"]
    infer(model, conf, IMAGE(1).to("ipex")).cpu()
    for name, dtype, number in (("x", "Char", 0), ("y", "Byte", 2)):
        form = ipex.physical_form(held[name])
        assert form.dtype == dtype
        assert form.scale == pytest.approx(entries[number].outputs_scale[0])
        assert held[name].dtype == torch.float32
    assert ipex.physical_form(held["z"]).dtype == "Float"


@pytest.mark.parametrize("is_fused", [True, False], ids=["fused", "not fused"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_threads_change_no_values(name, is_fused):
    model = on_device(Program(PROGRAMS[name], **layers()))
    large = values(3, 5, 40, 40)  # so that all loops are shared by threads
    conf, x = calibrate(model, large(0).to("ipex")), large(1).to("ipex")
    results = []
    for count in (1, 2):
        with threads(count), fusion(is_fused):
            results.append(infer(model, conf, x).cpu())
    assert torch.equal(*results)


@pytest.mark.parametrize("is_fused", [True, False], ids=["fused", "not fused"])
@pytest.mark.parametrize("stride", [1, 2])
def test_gradients_change_no_values(stride, is_fused):
    program = block_with_a_convolution_as_shortcut if stride == 2 else residual_block
    model = on_device(Program(program, **layers(stride)))
    conf, x = calibrate(model, IMAGE(0).to("ipex")), IMAGE(1).to("ipex")
    with fusion(is_fused):
        expected = infer(model, conf, x).cpu()
        for wanted in (True, False):
            model.requires_grad_(wanted)
            with torch.enable_grad(), ipex.AutoMixPrecision(conf, "inference"):
                result = model(x)
            assert result.requires_grad == wanted
            step = 1 / conf.calibration.entries()[-2].outputs_scale[0]
            assert (result.detach().cpu() - expected).abs().max() <= 1e-4 * step
        with torch.inference_mode(), ipex.AutoMixPrecision(conf, "inference"):
            assert torch.equal(model(x).cpu(), expected)


@pytest.mark.parametrize(
    "pool", [nn.MaxPool2d(2), nn.AdaptiveMaxPool2d(3), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1)], ids=str
)
def test_gradients_change_no_pooling(pool):
    torch.manual_seed(0)
    first, last = nn.Conv2d(5, 9, 3, padding=1), nn.Conv2d(9, 4, 1)
    model = on_device(Program(lambda m, x: m.last(pool(F.relu(m.first(x)))), first=first, last=last))
    conf, x = calibrate(model, IMAGE(0).to("ipex")), IMAGE(1).to("ipex")
    expected = infer(model, conf, x).cpu()
    with torch.enable_grad(), ipex.AutoMixPrecision(conf, "inference"):
        result = model(x)
    assert result.requires_grad
    torch.testing.assert_close(result.detach().cpu(), expected)

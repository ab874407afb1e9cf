"""Steps of every optimizer on master weights are, bit for bit, its steps on float32 weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from torch_ipex_device.optim import batches
from torch_ipex_device.optim.classes import CLASSES
from torch_ipex_device.optim.front_end import master_of
from torch_ipex_device.optim.split_float import round_to_bfloat16

from .cases import CASES, DEVICES, FUSED, IDS, Make, assert_same, layer, masters, prepare, steps

COUNT = 6


def train(
    make: Make, options: dict[str, Any], device: str, dtype: torch.dtype | None, split: bool = True, fuse: bool = False
) -> tuple[torch.optim.Optimizer, nn.Module]:
    net = layer(device)
    parameters = [net.weight] if make is torch.optim.Muon else list(net.parameters())
    optimizer = prepare(make(parameters, **options), [net], split, fuse, dtype)
    steps(optimizer, parameters, COUNT)
    return optimizer, net


def assert_trained_alike(prepared: torch.optim.Optimizer, net: nn.Module, plain: torch.optim.Optimizer) -> None:
    expected = [parameter for group in plain.param_groups for parameter in group["params"]]
    got = [parameter for group in prepared.param_groups for parameter in group["params"]]
    assert_same(masters(prepared, got), expected)
    for a, b in zip(got, expected, strict=True):
        for key, value in plain.state[b].items():
            assert_same([torch.as_tensor(prepared.state[a][key])], [torch.as_tensor(value)])


@pytest.mark.parametrize(("make", "options"), CASES, ids=IDS)
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("split", [True, False], ids=["split", "master"])
def test_bfloat16(make: Make, options: dict[str, Any], device: str, split: bool) -> None:
    optimizer, net = train(make, options, device, torch.bfloat16, split)
    plain, _ = train(make, options, device, None)
    assert type(plain) is make and isinstance(optimizer, make)
    assert_trained_alike(optimizer, net, plain)
    for parameter in net.parameters():
        assert parameter.dtype == torch.bfloat16
        assert_same([parameter], [round_to_bfloat16(master_of(optimizer, parameter))])


@pytest.mark.parametrize(("make", "options"), CASES, ids=IDS)
@pytest.mark.parametrize("device", DEVICES)
def test_float16(make: Make, options: dict[str, Any], device: str) -> None:
    optimizer, net = train(make, options, device, torch.float16)
    assert_trained_alike(optimizer, net, train(make, options, device, None)[0])
    for parameter in net.parameters():
        assert_same([parameter], [master_of(optimizer, parameter).half()])


@pytest.mark.parametrize(("make", "options"), [case for case in CASES if case[0] in FUSED], ids=str)
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_fused(make: Make, options: dict[str, Any], device: str, dtype: torch.dtype) -> None:
    optimizer, net = train(make, options, device, dtype, fuse=True)
    fused, _ = train(make, {**options, "fused": True}, device, None)
    assert_trained_alike(optimizer, net, fused)
    _, other = train(make, options, device, None)
    for a, b in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(master_of(optimizer, a), b.detach())


@pytest.mark.parametrize("device", DEVICES)
def test_muon(device: str) -> None:
    results = [train(torch.optim.Muon, {"lr": 0.01}, device, dtype) for dtype in (torch.bfloat16, None)]
    assert_trained_alike(*results[0], results[1][0])


def test_an_optimizer_of_the_program_steps_on_all_parameters_at_once() -> None:
    class ByTotalNorm(torch.optim.Optimizer):
        def __init__(self, params: Any) -> None:
            super().__init__(params, {})

        @torch.no_grad()
        def step(self, closure: Any = None) -> None:
            parameters = self.param_groups[0]["params"]
            total = torch.stack([p.grad.float().norm() for p in parameters if p.grad is not None]).norm()
            for p in parameters:
                if p.grad is not None:
                    self.state[p]["seen"] = self.state[p].get("seen", 0) + 1
                    p.sub_(p.grad, alpha=0.1 / float(total))

    optimizer, net = train(ByTotalNorm, {}, "cpu", torch.bfloat16)
    assert_trained_alike(optimizer, net, train(ByTotalNorm, {}, "cpu", None)[0])


@pytest.mark.parametrize(("make", "options"), CASES, ids=IDS)
@pytest.mark.parametrize("fuse", [False, True])
def test_batches_of_parameters_make_no_difference(
    make: Make, options: dict[str, Any], fuse: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once, net = train(make, options, "cpu", torch.bfloat16, fuse=fuse)
    monkeypatch.setattr(batches, "_SIZE", 35)  # the weight in one batch, the bias in another
    one_by_one, other = train(make, options, "cpu", torch.bfloat16, fuse=fuse)
    assert_same(masters(at_once, list(net.parameters())), masters(one_by_one, list(other.parameters())))


def test_table_of_classes_is_complete() -> None:
    """LBFGS keeps its own list of parameters. A new class of PyTorch has to be read before it gets a row."""
    of_torch = {getattr(torch.optim, name) for name in torch.optim.__all__}
    optimizers = {cls for cls in of_torch if isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer)} - {
        torch.optim.Optimizer,
        torch.optim.LBFGS,
    }
    assert optimizers <= CLASSES.keys()
    assert {make for make, _ in CASES} | {torch.optim.Muon, torch.optim.SparseAdam} == CLASSES.keys()

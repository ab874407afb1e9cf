"""Training: the inductor path gives stock gradients, the torchscript path says that it has none and runs eagerly."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torch_ipex_device as ipex
from accuracy import sqnr

from .running import Warnings, assert_close, compiled


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 8, 3, stride=2), nn.GELU(),
        nn.Flatten(), nn.Linear(8 * 7 * 7, 10),
    )  # fmt: skip


X = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))
TARGET = torch.arange(4)


def gradients(model: nn.Module, run: object, x: Tensor, dtype: torch.dtype | None = None) -> dict[str, Tensor]:
    """Returns the gradients of one step, that of the input included."""
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", dtype or torch.bfloat16, enabled=dtype is not None):
        loss = F.cross_entropy(run(x).float(), TARGET)  # type: ignore[operator]
    loss.backward()
    assert x.grad is not None
    found = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    return {**found, "input": x.grad}


@pytest.mark.parametrize("dynamic", [None, True])
def test_gradients_are_stock_pytorchs(dynamic: bool | None) -> None:
    mine, stock = net(), net()
    found = gradients(mine, torch.compile(mine, backend="ipex", dynamic=dynamic), X)
    expected = gradients(stock, stock, X)
    assert found.keys() == expected.keys()
    for name in expected:
        assert_close(found[name], expected[name], coefficient=20)


def test_our_kernels_run_in_both_directions() -> None:
    model = net()
    run = torch.compile(model, backend="ipex")
    gradients(model, run, X)
    with ipex.explain() as explanation:
        gradients(model, run, X)
    native = {row.operator for row in explanation.rows if row.path == "native"}
    assert {"convolution", "aten::convolution_backward", "aten::addmm", "aten::mm"} <= native, str(explanation)


def test_autocast_gradients() -> None:
    mine, stock, exact = net(), net(), net().double()
    found = gradients(mine, torch.compile(mine, backend="ipex"), X, torch.bfloat16)
    expected = gradients(stock, stock, X, torch.bfloat16)
    truth = gradients(exact, lambda x: exact(x.double()), X)
    for name in expected:
        assert found[name].dtype == expected[name].dtype
        assert sqnr(found[name], truth[name]) > sqnr(expected[name], truth[name]) - 2, name


def test_a_model_learns_as_in_stock_pytorch() -> None:
    losses = []
    for compiles in (False, True):
        model = net()
        run = torch.compile(model, backend="ipex") if compiles else model
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        for _ in range(6):
            optimizer.zero_grad()
            loss = F.cross_entropy(run(X), TARGET)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
    assert_close(torch.stack(losses[6:]), torch.stack(losses[:6]), coefficient=100)


def test_inference_between_training_steps_sees_new_weights() -> None:
    model = net()
    run = torch.compile(model, backend="ipex")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        F.cross_entropy(run(X), TARGET).backward()
        optimizer.step()
        model.eval()
        with torch.no_grad():
            for _ in range(2):
                assert_close(run(X), copy.deepcopy(model)(X), coefficient=10)
        model.train()


def test_the_torchscript_path_says_that_it_has_no_gradients(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Warnings(caplog, monkeypatch)
    ipex._set_compiler_backend("torchscript")
    mine, stock = net(), net()
    found, expected = gradients(mine, torch.compile(mine, backend="ipex"), X), gradients(stock, stock, X)
    for name in expected:
        assert torch.equal(found[name], expected[name])
    (text,) = log.texts
    assert "the torchscript path has no gradients" in text
    assert "_set_compiler_backend('inductor')" in text


def test_what_cannot_be_compiled_runs_eagerly_with_one_warning(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Warnings(caplog, monkeypatch)

    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("no compiler here")

    monkeypatch.setattr("torch._inductor.compile_fx.compile_fx", broken)
    model = net().eval()
    with torch.no_grad():
        run = compiled(model)
        assert torch.equal(run(X), model(X))
        run(X)
    (text,) = log.texts
    assert "the inductor path cannot compile a graph, which runs eagerly: no compiler here" in text


def test_compiled_optimizer_steps_write_their_state() -> None:
    """State that an optimizer made is no input of the graph but a part of it."""
    values = []
    for compiles in (False, True):
        torch.manual_seed(0)
        layer = nn.Linear(8, 8)
        optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1)
        step = compiled(optimizer.step) if compiles else optimizer.step
        for _ in range(3):
            optimizer.zero_grad()
            layer(torch.ones(2, 8)).square().sum().backward()
            step()
        values.append([layer.weight.detach(), *optimizer.state_dict()["state"][0].values()])
    torch.testing.assert_close(values[1], values[0])

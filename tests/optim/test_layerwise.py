"""Lamb and Lars: their formulas in float64, at all dtypes and devices."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import torch_ipex_device as ipex

from .cases import DEVICES, Make

SHAPES = [(20, 30), (30,), (4, 3, 2, 2), ()]


def lamb(weight: Tensor, grads: list[Tensor], o: dict[str, Any]) -> Tensor:
    (b1, b2), m, v = o.get("betas", (0.9, 0.999)), torch.zeros_like(weight), torch.zeros_like(weight)
    for t, g in enumerate(grads, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        r = (m / (1 - b1**t)) / ((v / (1 - b2**t)).sqrt() + o.get("eps", 1e-8)) + o.get("weight_decay", 0) * weight
        norms = weight.square().sum().sqrt().item(), r.square().sum().sqrt().item()
        weight = weight - o["lr"] * (norms[0] / norms[1] if all(norms) else 1) * r
    return weight


def lars(weight: Tensor, grads: list[Tensor], o: dict[str, Any]) -> Tensor:
    v, decay = torch.zeros_like(weight), o.get("weight_decay", 0)
    for g in grads:
        norms = weight.square().sum().sqrt().item(), g.square().sum().sqrt().item()
        rate = o["lr"]
        if all(norms):
            rate *= o.get("eeta", 1e-3) * norms[0] / (norms[1] + decay * norms[0] + o.get("epsilon", 0))
        v = o.get("momentum", 0) * v + rate * (g + decay * weight)
        weight = weight - v
    return weight


FORMULAS = {ipex.optim.Lamb: lamb, ipex.optim.Lars: lars}
CASES: list[tuple[Make, dict[str, Any]]] = [
    (ipex.optim.Lamb, {"lr": 0.01}),
    (ipex.optim.Lamb, {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1, "fused": True}),
    (ipex.optim.Lars, {"lr": 10.0}),
    (ipex.optim.Lars, {"lr": 10.0, "momentum": 0.9, "eeta": 0.01, "weight_decay": 0.01, "epsilon": 1e-3}),
]


def follow(make: Make, options: dict[str, Any], weights: list[nn.Parameter], count: int = 10) -> list[list[Tensor]]:
    optimizer = make(weights, **options)
    torch.manual_seed(1)
    grads = [[torch.randn(p.shape).to(p.dtype) for p in weights] for _ in range(count)]
    for each in grads:
        for parameter, grad in zip(weights, each, strict=True):
            parameter.grad = grad.to(parameter.device)
        optimizer.step()
    return [list(each) for each in zip(*grads, strict=True)]


@pytest.mark.parametrize(("make", "options"), CASES, ids=str)
@pytest.mark.parametrize("device", DEVICES)
def test_follows_the_formula_in_float32(make: Make, options: dict[str, Any], device: str) -> None:
    torch.manual_seed(0)
    start = [torch.randn(shape) for shape in SHAPES]
    weights = [nn.Parameter(value.clone().to(device)) for value in start]
    for parameter, value, grads in zip(weights, start, follow(make, options, weights), strict=True):
        expected = FORMULAS[make](value.double(), [g.double() for g in grads], options)
        # Ten steps, each of which rounds.
        torch.testing.assert_close(parameter.detach().cpu().double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("make", "options"), CASES, ids=str)
@pytest.mark.parametrize("device", DEVICES)
def test_bfloat16_weights_have_float32_state_and_arithmetic(make: Make, options: dict[str, Any], device: str) -> None:
    torch.manual_seed(0)
    start = torch.randn(20, 30).bfloat16()
    weight = nn.Parameter(start.clone().to(device))
    (grads,) = follow(make, options, [weight], count=1)
    expected = FORMULAS[make](start.double(), [g.double() for g in grads], options)
    assert weight.dtype == torch.bfloat16
    error = (weight.detach().cpu().double() - expected).abs()
    assert (error <= expected.abs() * 2**-8 * 1.001).all()  # half a step between bfloat16 numbers


def test_state_of_bfloat16_weights_survives_saving() -> None:
    def fresh() -> tuple[nn.Parameter, torch.optim.Optimizer]:
        weight = nn.Parameter(torch.ones(8).bfloat16())
        return weight, ipex.optim.Lamb([weight], lr=0.01)

    weight, optimizer = fresh()
    for scale in (1.0, 1e-3):
        weight.grad = torch.full_like(weight, 1 / 3) * scale
        optimizer.step()
    other, loaded = fresh()
    loaded.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for key, value in optimizer.state[weight].items():
        assert value.dtype == torch.float32 and torch.equal(value, loaded.state[other][key])
    assert loaded.param_groups[0]["params"][0] is other


def test_float64_is_computed_in_float64() -> None:
    torch.manual_seed(0)
    start = torch.randn(6, 5, dtype=torch.float64)
    weight = nn.Parameter(start.clone())
    (grads,) = follow(ipex.optim.Lamb, {"lr": 0.01}, [weight])
    torch.testing.assert_close(weight.detach(), lamb(start, grads, {"lr": 0.01}), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("make", [ipex.optim.Lamb, ipex.optim.Lars])
def test_weights_of_zero_move_at_the_plain_rate(make: Make) -> None:
    weight = nn.Parameter(torch.zeros(4))
    weight.grad = torch.ones(4)
    make([weight], lr=0.5).step()
    torch.testing.assert_close(weight.detach(), torch.full((4,), -0.5))


@pytest.mark.parametrize("make", [ipex.optim.Lamb, ipex.optim.Lars])
def test_gradients_of_zero_change_nothing(make: Make) -> None:
    weight = nn.Parameter(torch.ones(4))
    weight.grad = torch.zeros(4)
    make([weight], lr=0.5).step()
    assert weight.tolist() == [1.0] * 4


def test_norms_of_large_weights_are_exact_to_float32() -> None:
    weight = nn.Parameter(torch.full((1000, 2000), 0.1))
    weight.grad = torch.ones_like(weight)
    ipex.optim.Lars([weight], lr=1.0, eeta=1.0).step()
    step = 0.1 * math.sqrt(2e6) / math.sqrt(2e6)
    torch.testing.assert_close(weight.detach(), torch.full((1000, 2000), 0.1 - step), rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("make", "options", "text"),
    [
        (ipex.optim.Lamb, {"lr": -1.0}, "lr=-1.0"),
        (ipex.optim.Lamb, {"betas": (0.9, 1.0)}, "betas"),
        (ipex.optim.Lamb, {"eps": float("nan")}, "eps"),
        (ipex.optim.Lars, {"momentum": -0.1}, "momentum"),
        (ipex.optim.Lars, {"eeta": -1}, "eeta"),
    ],
)
def test_bad_arguments(make: Make, options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=f"E103 got {text}"):
        make([nn.Parameter(torch.ones(1))], **options)


@pytest.mark.parametrize("make", [ipex.optim.Lamb, ipex.optim.Lars])
def test_sparse_gradients_are_refused(make: Make) -> None:
    embedding = nn.Embedding(4, 2, sparse=True)
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(NotImplementedError, match=f"{make.__name__}. E104 got a sparse gradient"):
        make(embedding.parameters()).step()

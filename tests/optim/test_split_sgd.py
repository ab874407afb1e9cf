"""SplitSGD: bfloat16 parameters are trained as float32 ones."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import torch_ipex_device as ipex
from torch_ipex_device.optim import cat_bfloat16_float, split_float_bfloat16

OPTIONS = [
    {"lr": 0.1},
    {"lr": 1e-4},
    {"lr": 0.1, "momentum": 0.9},
    {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01},
    {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("device", ["ipex", "cpu"])
def test_master_weights_follow_sgd_in_float32(options: dict[str, float], device: str) -> None:
    torch.manual_seed(0)
    low = nn.Parameter(torch.randn(20, 30).bfloat16().to(device))
    full = nn.Parameter(low.detach().float().cpu())
    split_sgd, sgd = ipex.optim.SplitSGD([low], **options), torch.optim.SGD([full], **options)
    for _ in range(30):
        gradient = torch.randn(20, 30).bfloat16()
        low.grad, full.grad = gradient.to(device), gradient.float()
        split_sgd.step()
        sgd.step()
    master = cat_bfloat16_float(low.detach(), split_sgd.state[low]["low_bits"]).cpu()
    torch.testing.assert_close(master, full.detach(), rtol=2e-6, atol=2e-6)
    assert torch.equal(low.detach().cpu(), split_float_bfloat16(master)[0])


def test_small_updates_are_not_lost() -> None:
    weight = nn.Parameter(torch.ones(8, dtype=torch.bfloat16, device="ipex"))
    optimizer = ipex.optim.SplitSGD([weight], lr=1.0)
    for _ in range(100):
        weight.grad = torch.full_like(weight, 2.0**-12)  # a sixteenth of the step between bfloat16 numbers at 1
        optimizer.step()
    assert abs(weight[0].item() - (1 - 100 * 2.0**-12)) < 2.0**-9


def test_other_dtypes_are_updated_as_sgd_does() -> None:
    a, b = (nn.Parameter(torch.arange(4.0, device="ipex")) for _ in range(2))
    for optimizer, parameter in ((ipex.optim.SplitSGD([a], 0.1, 0.9), a), (torch.optim.SGD([b], 0.1, 0.9), b)):
        for _ in range(3):
            parameter.grad = torch.ones_like(parameter)
            optimizer.step()
    assert torch.equal(a.cpu(), b.cpu())


def test_state_survives_saving() -> None:
    def steps(weight: nn.Parameter, optimizer: torch.optim.Optimizer, count: int) -> None:
        for _ in range(count):
            weight.grad = torch.full_like(weight, 2.0**-12)
            optimizer.step()

    def fresh(value: Tensor) -> tuple[nn.Parameter, torch.optim.Optimizer]:
        weight = nn.Parameter(value.clone())
        return weight, ipex.optim.SplitSGD([weight], lr=1.0, momentum=0.5)

    weight, optimizer = fresh(torch.ones(8, dtype=torch.bfloat16, device="ipex"))
    steps(weight, optimizer, 5)
    other, loaded = fresh(weight.detach())
    loaded.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert loaded.state[other]["low_bits"].dtype == torch.int16
    assert loaded.state[other]["momentum_buffer"].dtype == torch.float32
    steps(weight, optimizer, 20)
    steps(other, loaded, 20)
    assert torch.equal(weight.cpu(), other.cpu())
    assert torch.equal(optimizer.state[weight]["low_bits"].cpu(), loaded.state[other]["low_bits"].cpu())


def test_a_closure_is_called_once_with_gradients() -> None:
    weight = nn.Parameter(torch.ones(2, dtype=torch.bfloat16, device="ipex"))
    optimizer = ipex.optim.SplitSGD([weight], lr=0.5)
    calls = []

    def closure() -> float:
        calls.append(torch.is_grad_enabled())
        optimizer.zero_grad()
        loss = weight.sum()
        loss.backward()
        return float(loss)

    assert optimizer.step(closure) == 2.0
    assert calls == [True]
    assert weight.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"lr": -1}, "lr=-1"),
        ({"lr": 1, "momentum": -0.1}, "momentum"),
        ({"lr": 1, "weight_decay": float("nan")}, "weight_decay"),
        ({"lr": 1, "nesterov": True}, "nesterov"),
    ],
)
def test_bad_arguments(options: dict[str, float], text: str) -> None:
    with pytest.raises(ValueError, match=f"E103 got {text}"):
        ipex.optim.SplitSGD([nn.Parameter(torch.ones(1))], **options)


def test_sparse_gradients_are_refused_and_change_nothing() -> None:
    embedding = nn.Embedding(4, 2, sparse=True).to("ipex", torch.bfloat16)
    before = embedding.weight.detach().cpu().clone()
    embedding(torch.tensor([1], device="ipex")).sum().backward()
    optimizer = ipex.optim.SplitSGD(embedding.parameters(), lr=1.0)
    with pytest.raises(NotImplementedError, match="E104 got a sparse gradient"):
        optimizer.step()
    assert torch.equal(embedding.weight.detach().cpu(), before)


def test_bfloat16_model_learns() -> None:
    def train(make: Callable[..., torch.optim.Optimizer]) -> float:
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(16, 64), nn.Tanh(), nn.Linear(64, 4)).to("ipex", torch.bfloat16)
        x = torch.randn(256, 16)
        labels = x[:, :4].argmax(1).to("ipex")
        x = x.to("ipex", torch.bfloat16)
        optimizer = make(net.parameters(), lr=0.003)
        for _ in range(300):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(x).float(), labels)
            loss.backward()
            optimizer.step()
        return loss.item()

    assert train(ipex.optim.SplitSGD) < train(torch.optim.SGD)

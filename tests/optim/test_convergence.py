"""bfloat16 weights with masters learn the digits of scikit-learn as float32 weights do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from sklearn import datasets
from torch import Tensor, nn

import torch_ipex_device as ipex

from .cases import Make, assert_same, prepare

OPTIMIZERS: list[tuple[Make, dict[str, Any]]] = [
    (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4}),
    (torch.optim.AdamW, {"lr": 1e-2}),
    (ipex.optim.Lamb, {"lr": 3e-2, "weight_decay": 0.01}),
]
EPOCHS, BATCH, TRAINED = 10, 128, 1400


def digits() -> tuple[Tensor, Tensor]:
    found = datasets.load_digits()
    order = torch.randperm(len(found.target), generator=torch.Generator().manual_seed(0))
    return torch.from_numpy(found.data).float()[order] / 16, torch.from_numpy(found.target)[order]


def train(make: Make, options: dict[str, Any], seed: int, epochs: int, **how: Any) -> nn.Module:
    images, labels = digits()
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    optimizer = prepare(make(net.parameters(), **options), [net], fuse=True, **how)
    images = images.to(net[0].weight.dtype)
    for _ in range(epochs):
        for rows in torch.randperm(TRAINED).split(BATCH):
            optimizer.zero_grad()
            F.cross_entropy(net(images[rows]).float(), labels[rows]).backward()
            optimizer.step()
    return net


def accuracy(net: nn.Module) -> float:
    images, labels = digits()
    with torch.no_grad():
        found = net(images[TRAINED:].to(next(net.parameters()).dtype)).argmax(1)
    return float((found == labels[TRAINED:]).float().mean())


@pytest.mark.parametrize(("make", "options"), OPTIMIZERS, ids=[make.__name__ for make, _ in OPTIMIZERS])
def test_digits_within_a_point_of_float32(make: Make, options: dict[str, Any]) -> None:
    def mean(dtype: torch.dtype | None) -> float:
        return sum(accuracy(train(make, options, seed, EPOCHS, dtype=dtype)) for seed in range(3)) / 3

    low, full = mean(torch.bfloat16), mean(None)
    assert full > 0.93 and low > full - 0.01, (low, full)


@pytest.mark.parametrize(("make", "options"), OPTIMIZERS, ids=[make.__name__ for make, _ in OPTIMIZERS])
def test_splitting_changes_no_number_of_a_training(make: Make, options: dict[str, Any]) -> None:
    split, master = (train(make, options, 0, 1, split=split) for split in (True, False))
    assert_same(list(split.parameters()), list(master.parameters()))

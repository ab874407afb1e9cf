"""Storages that are emptied and filled again, as FSDP does with weights, stay on the device."""

from __future__ import annotations

import pytest
import torch


def made_by_the_device() -> torch.Tensor:
    return torch.ones(64, device="ipex")


def made_by_a_cpu_kernel() -> torch.Tensor:
    return torch.ones(512, device="ipex").cumsum(0)


@pytest.mark.parametrize("make", [made_by_the_device, made_by_a_cpu_kernel])
def test_emptied_storage_is_on_the_device_and_takes_another(make) -> None:
    x = make()
    storage = x.untyped_storage()
    nbytes = storage.nbytes()
    storage.resize_(0)
    assert storage.device == x.device == torch.device("ipex:0") and storage.nbytes() == 0
    storage.resize_(nbytes)
    assert x.fill_(3).eq(3).all()
    storage.resize_(0)
    x.set_(torch.arange(3.0, device="ipex"))
    assert x.tolist() == [0, 1, 2]


def test_emptied_storage_gives_its_memory_back() -> None:
    x = torch.ones(1 << 20, device="ipex")
    before = torch.ipex.memory_allocated()
    x.untyped_storage().resize_(0)
    assert before - torch.ipex.memory_allocated() >= 4 << 20

"""DataLoader with worker processes whose datasets hold, or make, ipex tensors."""

from __future__ import annotations

import pytest

from device.programs import run_program

PROGRAM = """
import sys
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset


class Held(Dataset):
    def __init__(self):
        self.data = torch.arange(24.0).view(8, 3).to("ipex")

    def __len__(self):
        return 8

    def __getitem__(self, index):
        row = self.data[index]
        if len(row) != 3:
            raise ValueError("wrong row")
        return {"doubled": row * 2, "rows": [row[:2], torch.tensor(index)], "product": row @ row, "name": str(index)}


class Broken(Held):
    def __getitem__(self, index):
        if index == 5:
            raise ValueError(f"row 5 of {self.data.device} is broken")
        return self.data[index]


def batches(dataset, epochs=1, **options):
    loader = DataLoader(dataset, batch_size=4, num_workers=2, multiprocessing_context=sys.argv[1], **options)
    return [batch for _ in range(epochs) for batch in loader]


def raised(*arguments, **options):
    try:
        batches(*arguments, **options)
    except (ValueError, RuntimeError) as error:
        return str(error)
    raise SystemExit("nothing was raised")


if __name__ == "__main__":
    sys.argv[1:] = ["METHOD"]
    data = torch.arange(24.0).view(8, 3)
    for options in ({}, {"persistent_workers": True, "epochs": 2}):
        got = batches(Held(), **options)
        assert len(got) == 2 * options.get("epochs", 1)
        for number, batch in enumerate(got):
            rows = data[4 * (number % 2) :][:4]
            assert batch["doubled"].is_ipex and torch.equal(batch["doubled"].cpu(), rows * 2)
            assert torch.equal(batch["rows"][0].cpu(), rows[:, :2]) and batch["rows"][1].device.type == "cpu"
            assert torch.equal(batch["product"].cpu(), (rows * rows).sum(1))
            assert batch["name"] == [str(4 * (number % 2) + i) for i in range(4)]
            batch["doubled"].zero_()
    pairs = batches(TensorDataset(data.to("ipex"), torch.arange(8).to("ipex")))
    assert torch.equal(torch.cat([rows for rows, _ in pairs]).cpu(), data)
    assert torch.equal(torch.cat([numbers for _, numbers in pairs]).cpu(), torch.arange(8))
    assert "ValueError: row 5 of ipex:0 is broken" in raised(Broken())
    assert "DataLoader worker process" in raised(Broken())
    print("loaded")
"""
PINNED = """
import torch
from torch.utils.data import DataLoader, TensorDataset

loader = DataLoader(TensorDataset(torch.ones(4, 2, device="ipex")), batch_size=2, pin_memory=True, num_workers=WORKERS)
try:
    list(loader)
except RuntimeError as error:
    print(str(error).strip().splitlines()[-1])
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_return_right_values(method: str) -> None:
    assert run_program(PROGRAM.replace("METHOD", method), OMP_NUM_THREADS="1") == "loaded"


@pytest.mark.parametrize("workers", [0, 1])
def test_pinning_says_what_to_do(workers: int) -> None:
    error = run_program(PINNED.replace("WORKERS", str(workers)))
    assert "[pin_memory] E203 got a tensor on ipex:0" in error
    assert "pin_memory=False" in error

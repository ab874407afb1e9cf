"""A few thousand tensors through a queue; queue_soak.py sends as many as one likes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from device.programs import run_program

SOAK = Path(__file__).with_name("queue_soak.py")
TIMEOUT_SECONDS = 1200


@pytest.mark.parametrize(
    ("count", "method", "strategy"),
    [
        (3000, "spawn", "file_descriptor"),
        (2000, "spawn", "file_system"),
        (1000, "fork", "file_descriptor"),
        (1000, "forkserver", "file_system"),
    ],
)
def test_thousands_of_tensors_arrive_and_leave_nothing(tmp_path: Path, count: int, method: str, strategy: str) -> None:
    command = [sys.executable, str(SOAK), str(count), "--method", method, "--strategy", strategy]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


MANY = """
import resource
import torch
import torch.multiprocessing as mp


def send(queue, done):
    mp.set_sharing_strategy("STRATEGY")
    queue.put([torch.full((2,), float(i), device="ipex") for i in range(200)])
    done.wait(600)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (120, 120))
    context = mp.get_context("fork")
    queue, done = context.Queue(), context.Event()
    process = context.Process(target=send, args=(queue, done))
    process.start()
    print(sum(tensor.sum().item() for tensor in queue.get(timeout=600)))
    done.set()
    process.join(600)
"""


def test_file_system_strategy_needs_no_descriptors() -> None:
    assert run_program(MANY.replace("STRATEGY", "file_system")) == "39800.0"

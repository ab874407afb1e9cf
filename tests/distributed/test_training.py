"""DDP, FSDP2 and distributed checkpoints, in two processes that torchrun starts."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest

from distributed.launch import launch, run_ranks, run_source
from sanitizers import without_address_sanitizer

# 20 steps of sums in another order; one float32 rounding is 1.2e-7.
TOLERANCE = 5e-6


@pytest.fixture(scope="module")
def report() -> dict[str, object]:
    report: dict[str, object] = json.loads(run_ranks("training"))
    print(report)
    return report


def test_training_makes_progress_without_fallbacks(report: dict) -> None:
    first, last = report["loss"]
    assert last < 0.7 * first
    assert report["fallbacks"] == {}
    assert report["cpu to one process"] < TOLERANCE


def test_ddp_on_shards_is_one_process_on_whole_batches(report: dict) -> None:
    assert report["one process to ddp"] < TOLERANCE
    assert report["losses of one process to ddp"] < TOLERANCE


def test_gradients_that_are_views_of_buckets_change_nothing(report: dict) -> None:
    assert report["ddp to ddp views"] == 0


def test_fsdp2_is_ddp(report: dict) -> None:
    assert report["ddp to fsdp2"] < TOLERANCE


def test_checkpoint_of_two_processes_loads_with_one_two_and_on_cpu(tmp_path: Path) -> None:
    folder = str(tmp_path / "checkpoint")
    run_ranks("checkpoint", "save", folder, "ipex")
    for action, device, processes in (("load", "ipex", 1), ("load", "cpu", 1), ("load sharded", "ipex", 2)):
        printed = run_ranks("checkpoint", action, folder, device, processes=processes)
        assert printed == f"loaded 4 weights with their states on {device} by {processes}"


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-5), ("float64", 1e-12)])
def test_sync_batch_norm_on_unequal_shards_is_batch_norm_on_whole_batches(dtype: str, tolerance: float) -> None:
    printed = run_ranks("sync_batch_norm", dtype).splitlines()
    assert sum("running_var" in line for line in printed) == 3, printed
    for line in printed:
        error = line.split(" ")[1]
        assert float(error) <= tolerance, printed


def test_options_of_ddp_equal_cpu() -> None:
    printed = run_ranks("wrappers").splitlines()
    assert len(printed) == 23, printed
    for line in printed:
        name, difference = line.rsplit(" ", 1)
        assert float(difference) <= 2e-6, name


@pytest.mark.parametrize("signal", [9, pytest.param(11, marks=without_address_sanitizer("takes the signal"))])
def test_killed_rank_ends_the_job_with_an_error_and_no_orphan(signal: int, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(f"""
import os, torch, torch.distributed as dist
dist.init_process_group("ipex")
rank = dist.get_rank()
open(f"{tmp_path}/{{rank}}", "w").write(str(os.getpid()))
model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(8, 8).to("ipex"))
for step in range(100):
    if step == 5 and rank == 1:
        os.kill(os.getpid(), {signal})
    model(torch.ones(2, 8, device="ipex")).sum().backward()
""")
    start = time.monotonic()
    done = launch(program)
    assert done.returncode == 1 and time.monotonic() - start < 60
    assert re.search(rf"rank\s+: 1 .*\n\s*exitcode\s+: -{signal} ", done.stderr), done.stderr
    assert "Connection reset by peer" in done.stderr or "Connection closed by peer" in done.stderr, done.stderr
    for rank in range(2):
        assert not os.path.exists(f"/proc/{(tmp_path / str(rank)).read_text()}")


def test_statistics_of_ddp_have_times_and_warn_of_nothing(tmp_path: Path) -> None:
    program = """
    import torch, torch.distributed as dist
    dist.init_process_group("ipex")
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(8, 8).to("ipex"))
    for _ in range(12):
        model(torch.ones(2, 8, device="ipex")).sum().backward()
    data = model._get_ddp_logging_data()
    assert data["avg_forward_compute_time"] > 0 and data["avg_backward_compute_time"] > 0, data
    dist.destroy_process_group()
    """
    path = tmp_path / "program.py"
    assert run_source(program, path.parent) == ""
    assert "Time stats" not in launch(path).stderr

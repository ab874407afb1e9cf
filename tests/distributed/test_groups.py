"""Every way of making a process group serves ipex tensors, and CPU programs do not notice the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.programs import run_program
from distributed.launch import run_source

USE = """
rank = dist.get_rank()
x, y = torch.full((3,), rank + 1.0, device="ipex"), torch.ones(2)
dist.all_reduce(x)
dist.all_reduce(y)
dist.barrier()
objects = [None, None]
dist.all_gather_object(objects, {"rank": rank})
assert x.is_ipex and x.tolist() == [3.0] * 3 and y.tolist() == [2.0] * 2
assert [found["rank"] for found in objects] == [0, 1]
part = dist.new_group([0, 1])
dist.broadcast(x, src=1, group=part)
device_types = {device.type for device in dist.group.WORLD._device_types}
assert {"cpu", "ipex"} <= device_types
if rank == 0:
    print(dist.get_backend())
dist.destroy_process_group()
"""


@pytest.mark.parametrize(
    ("arguments", "backend"),
    [
        ("", "undefined"),
        ("'gloo'", "gloo"),
        ("'ipex'", "gloo"),
        ("'cpu:gloo,ipex:gloo'", "cpu:gloo,ipex:gloo"),
        ("'cpu:gloo,ipex:ipex'", "cpu:gloo,ipex:ipex"),
        ("'ipex:gloo'", "ipex:gloo"),
        ("device_id=torch.device('ipex:0')", "gloo"),
    ],
)
def test_group_serves_both_devices(arguments: str, backend: str, tmp_path: Path) -> None:
    source = (
        f"import torch, torch_ipex_device\nimport torch.distributed as dist\ndist.init_process_group({arguments})\n"
    )
    assert run_source(source + USE, tmp_path) == backend


@pytest.mark.parametrize("arguments", ["", "'gloo'", "'ipex'"])
def test_group_older_than_the_device_serves_it(arguments: str, tmp_path: Path) -> None:
    source = f"""
import sys, torch
import torch.distributed as dist
dist.init_process_group({arguments})
dist.barrier()
assert "torch_ipex_device" not in sys.modules
"""
    run_source(source + USE, tmp_path)


def test_debug_level_detail_checks_collectives(tmp_path: Path) -> None:
    source = """
import torch, torch.distributed as dist
dist.init_process_group("ipex")
x = torch.ones(2 + dist.get_rank(), device="ipex")
try:
    dist.all_reduce(x)
except RuntimeError as error:
    print("mismatch" if "mismatch" in str(error) else error)
"""
    printed = run_source(source, tmp_path, TORCH_DISTRIBUTED_DEBUG="DETAIL")
    assert "mismatch" in printed


def test_monitored_barrier_names_the_missing_rank(tmp_path: Path) -> None:
    source = """
import datetime, time, torch, torch_ipex_device, torch.distributed as dist
dist.init_process_group("ipex")
dist.monitored_barrier()
if dist.get_rank() == 0:
    try:
        dist.monitored_barrier(timeout=datetime.timedelta(seconds=1))
    except RuntimeError as error:
        print("Rank 1 failed to pass monitoredBarrier" in str(error) or str(error))
else:
    time.sleep(3)
"""
    assert run_source(source, tmp_path) == "True"


def test_cpu_program_does_not_notice_the_package() -> None:
    program = """
    import sys, torch
    import torch.distributed as dist
    dist.init_process_group(rank=0, world_size=1, store=dist.HashStore())
    x = torch.ones(2)
    dist.all_reduce(x)
    dist.barrier()
    assert {device.type for device in dist.group.WORLD._device_types} == {"cpu"}
    assert torch.get_device_module() is torch.cpu
    dist.destroy_process_group()
    dist.init_process_group("gloo", rank=0, world_size=1, store=dist.HashStore())
    assert dist.get_backend_config() == "cpu:gloo,cuda:gloo"
    dist.destroy_process_group()
    print("torch_ipex_device" in sys.modules)
    """
    assert run_program(program) == "False"


def test_default_backend_of_the_device() -> None:
    program = """
    import torch, torch_ipex_device
    import torch.distributed as dist
    print(dist.get_default_backend_for_device("ipex"), dist.Backend("ipex"), torch._C._get_accelerator())
    """
    assert run_program(program) == "gloo gloo ipex"

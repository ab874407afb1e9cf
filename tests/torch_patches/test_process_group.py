"""gloo serves ipex tensors."""

from __future__ import annotations

from device.programs import run_program
from torch_patches.without import run_without

PROGRAM = """
import torch, torch_ipex_device
import torch.distributed as dist

dist.init_process_group("cpu:gloo,ipex:gloo", rank=0, world_size=1, store=dist.HashStore())
x = torch.ones(2, device="ipex")
try:
    dist.all_reduce(x)
    print(x.tolist())
except (RuntimeError, ValueError) as error:
    print(error)
"""


def test_refused_without_the_patch_reduced_with_it() -> None:
    assert "nsupported device type" in run_without("process_group", PROGRAM)
    assert run_program(PROGRAM) == "[1.0, 1.0]"

"""Random operators on DTensors of ipex."""

from __future__ import annotations

from pathlib import Path

from device.programs import run_program
from distributed.launch import run_source
from torch_patches.without import run_without

ONE_RANK = """
import warnings
import torch, torch_ipex_device
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

dist.init_process_group(rank=0, world_size=1, store=dist.HashStore())
with torch.device("meta"):
    layer = nn.Linear(8, 8)
fully_shard(layer, mesh=init_device_mesh("ipex", (1,)))
layer.to_empty(device="ipex")
try:
    layer.reset_parameters()
    print(0 < layer.weight.full_tensor().std().item() < 1)
except AssertionError:
    print("AssertionError")
"""

TWO_RANKS = """
import torch, torch_ipex_device
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.distributed import tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Replicate, Shard

mesh = init_device_mesh("ipex", (2,))

def draw():
    sharded = tensor.rand(8, 4, device_mesh=mesh, placements=[Shard(0)])
    replicated = tensor.randn(8, 4, device_mesh=mesh, placements=[Replicate()])
    dropped = F.dropout(sharded, 0.5)
    generator = torch.Generator("ipex").manual_seed(5)
    filled = nn.init.normal_(tensor.zeros(8, 4, device_mesh=mesh, placements=[Shard(1)]), generator=generator)
    return sharded, replicated, dropped, filled, torch.rand(4, device="ipex")

torch.manual_seed(3)
sharded, replicated, dropped, filled, local = draw()
torch.manual_seed(3)
again = draw()
whole = sharded.full_tensor()
assert not torch.equal(whole[:4], whole[4:])
assert len(whole.unique()) == 32
both = [torch.empty(8, 4, device="ipex") for _ in range(2)]
dist.all_gather(both, replicated.to_local())
assert torch.equal(*both)
after = [torch.empty(4, device="ipex") for _ in range(2)]
dist.all_gather(after, local)
assert torch.equal(*after)
assert 0 < dropped.full_tensor().count_nonzero().item() < 32
assert not torch.equal(*filled.full_tensor().chunk(2, 1))
for one, other in zip((sharded, replicated, dropped, filled), again):
    assert torch.equal(one.full_tensor(), other.full_tensor())
assert torch.equal(local, again[-1])
if dist.get_rank() == 0:
    print("equal")
dist.destroy_process_group()
"""


def test_sharded_layer_is_initialised_with_the_patch_only() -> None:
    assert run_without("dtensor_random", ONE_RANK) == "AssertionError"
    assert run_program(ONE_RANK) == "True"


def test_shards_differ_replicas_agree_and_seeds_count(tmp_path: Path) -> None:
    assert run_source(TWO_RANKS, tmp_path) == "equal"

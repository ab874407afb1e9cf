"""Which parameters of a group an optimizer updates together, so that few of them are there as float32 at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .classes import OptimizerClass
from .layouts import is_dense
from .master_weights import Master, MasterWeights
from .pieces import pieces_of
from .scratch import Scratch
from .stand_ins import StandIn, stand_in_of

# So many float32 values, and as many gradients, are there at a time beside what the optimizer keeps: 4 MB each. With fewer,
# the calls of the optimizer take the time; with more, the processor's caches do not hold them from joining to splitting.
# A multiple of a cache line: fused kernels round the elements of an incomplete one in another way.
_SIZE = 2**20


@dataclass
class Batch:
    """Members of one group, on one device, that are updated together.

    Attributes:
        group: the group.
        fuse: whether the fused kernel updates them.
        members: what the optimizer sees.
        count: elements that need float32 memory.
    """

    group: dict[str, Any]
    fuse: bool
    members: list[StandIn] = field(default_factory=list)
    count: int = 0


def batches_of(
    group: dict[str, Any],
    masters: MasterWeights,
    state: Mapping[Tensor, Mapping[str, Any]],
    row: OptimizerClass,
    fuse: bool,
) -> Iterator[Batch]:
    """Yields the parameters of a group that have a gradient.

    Args:
        group: of an optimizer.
        masters: of the optimizer.
        state: of the optimizer.
        row: of the optimizer's class.
        fuse: whether to use the fused kernel, where it works, if the group does not say.
    """
    is_open = group.get("fused") is None and not group.get("foreach") and not group.get("differentiable")
    may_fuse = bool(group.get("fused")) or (fuse and is_open)
    batches: dict[tuple[object, ...], Batch] = {}
    for parameter in group["params"]:
        if parameter.grad is None:
            continue
        master = masters.of(parameter)
        has_master = master is not None
        does_fuse = may_fuse and _can_fuse(parameter, has_master)
        # The fused SGD takes either all momentum buffers or none.
        is_fresh = state.get(parameter, {}).get("momentum_buffer") is None
        kind = (parameter.device, has_master, does_fuse, is_fresh)
        for member in _members(parameter, master, row):
            batch = batches.get(kind)
            if batch is None:
                batch = batches[kind] = Batch(group, does_fuse)
            batch.members.append(member)
            batch.count += member.count
            if batch.count >= _SIZE:
                yield batches.pop(kind)
    yield from batches.values()


def _members(parameter: Tensor, master: Master | None, row: OptimizerClass) -> list[StandIn]:
    if master is not None and row.is_elementwise and parameter.numel() > _SIZE:
        return pieces_of(parameter, master, _SIZE)
    return [stand_in_of(parameter, master)]


def scratch_for(batches: Iterable[Batch]) -> Scratch:
    """Returns memory for the values and gradients of any of some batches."""
    sizes = [(len(batch.members), batch.count) for batch in batches]
    tensors, elements = (max(each) for each in zip((0, 0), *sizes, strict=True))
    return Scratch(2 * tensors, 2 * elements)


def _can_fuse(parameter: Tensor, has_master: bool) -> bool:
    assert parameter.grad is not None
    if parameter.grad.layout != torch.strided:
        return False
    return has_master or (is_dense(parameter) and parameter.dtype in (torch.float32, torch.float64))

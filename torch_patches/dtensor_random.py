"""Random operators on a DTensor, which initialisation after `fully_shard` needs, draw from the device's generator."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist

from torch_ipex_device import _C

WHY = """DTensor takes every device whose module has `set_rng_state` for one with CUDA's generator, whose state is a seed and
an offset that it counts up per shard. On ipex it reads them out of the state of another algorithm: AssertionError in
`nn.init` of sharded parameters, `dropout`, `torch.distributed.tensor.rand`."""
UPSTREAM = "torch/distributed/tensor/_random.py, OffsetBasedRNGTracker; no issue is open"
REMOVE_WHEN = "a backend can register how shards get their random numbers"


def apply() -> None:
    """Wraps `DeviceMesh.__init__`: without a mesh of ipex devices there is no such DTensor, and DTensor is slow to import."""
    if not dist.is_available():
        return
    from torch.distributed.device_mesh import DeviceMesh

    original = DeviceMesh.__init__

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if self.device_type == "ipex":
            _wrap_tracker()

    DeviceMesh.__init__ = init  # type: ignore[method-assign]


@functools.cache
def _wrap_tracker() -> None:
    """Wraps the method in whose region a DTensor runs a random operator on its local shard."""
    from torch.distributed.tensor._random import OffsetBasedRNGTracker

    original = OffsetBasedRNGTracker._distribute_region

    @functools.wraps(original)
    def distribute_region(self: Any, spec: Any, generator: torch.Generator | None = None) -> Any:
        if self._device.type != "ipex":
            return original(self, spec, generator)
        if not self.distribute_region_enabled:
            return contextlib.nullcontext()
        first_number, _ = self._compute_rng_offsets(spec)
        return _seeded_region(first_number, generator)

    OffsetBasedRNGTracker._distribute_region = distribute_region  # type: ignore[method-assign]


@contextlib.contextmanager
def _seeded_region(first_number: int, generator: torch.Generator | None) -> Iterator[None]:
    """Runs the block with a seed of the shard's own.

    Every rank draws the same number from the generator, which thus advances equally everywhere, and adds the position of
    its shard in the whole tensor: shards differ, replicas are equal.
    """
    default = _C.default_generator()
    source = generator or default
    seed = torch.empty((), dtype=torch.int64, device=source.device).random_(generator=source).item()
    state = default.get_state()
    default.manual_seed((int(seed) + first_number) % 2**63)
    try:
        yield
    finally:
        default.set_state(state)

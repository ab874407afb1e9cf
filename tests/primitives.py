"""The cache of primitives: what the suite allows it, and how a test begins with an empty one."""

from __future__ import annotations

from torch_ipex_device import _C

CAPACITY = _C.primitive_cache_stats()["capacity"]
MOST_LASTING = 1 << 40  # one process runs the suite and compiles more convolutions with activations than programs do


def forget_primitives() -> None:
    """Empties the cache, so that primitives are described and made again, and gives it its default capacity."""
    _C.set_primitive_cache_capacity(0)
    _C.set_primitive_cache_capacity(CAPACITY)

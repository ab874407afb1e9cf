"""The cache of primitives, for tests that begin with an empty one."""

from __future__ import annotations

from torch_ipex_device import _C

CAPACITY = _C.primitive_cache_stats()["capacity"]


def forget_primitives() -> None:
    """Empties the cache, so that primitives are described and made again, and gives it its default capacity."""
    _C.set_primitive_cache_capacity(0)
    _C.set_primitive_cache_capacity(CAPACITY)

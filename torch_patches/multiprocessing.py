"""torch.multiprocessing: ipex tensors travel between processes as shared memory, without a copy on the way."""

from __future__ import annotations

import functools
import os
from multiprocessing.reduction import DupFd, ForkingPickler
from typing import Any

import torch
from torch.multiprocessing import reductions

from torch_ipex_device import _C

WHY = """Sending an ipex tensor through a queue or as a process argument fails ("_share_fd_: only available on CPU"),
`share_memory_()` does nothing, and `is_shared()` is True for any ipex tensor, so that Hogwild training would silently
train copies."""
UPSTREAM = "backends have an IPC hook on PyTorch's main branch (AcceleratorHooksInterface); 2.13 has none"
REMOVE_WHEN = "that hook is in the oldest supported PyTorch"


def apply() -> None:
    """Registers a reducer for storages and wraps `UntypedStorage.share_memory_` and `is_shared`."""
    ForkingPickler.register(torch.UntypedStorage, reduce_storage)
    original_share = torch.UntypedStorage.share_memory_
    original_is_shared = torch.UntypedStorage.is_shared

    @functools.wraps(original_share)
    def share_memory_(self: torch.UntypedStorage, *args: Any, **kwargs: Any) -> torch.UntypedStorage:
        if self.device.type != "ipex":
            return original_share(self, *args, **kwargs)
        _share(self)
        return self

    @functools.wraps(original_is_shared)
    def is_shared(self: torch.UntypedStorage) -> bool:
        return _C.is_shared(_bytes(self)) if self.device.type == "ipex" else original_is_shared(self)

    torch.UntypedStorage.share_memory_ = share_memory_  # type: ignore[method-assign]
    torch.UntypedStorage.is_shared = is_shared  # type: ignore[method-assign, assignment]


def reduce_storage(storage: torch.UntypedStorage) -> tuple[Any, tuple[Any, ...]]:
    """Pickles a storage for another process; one on ipex as a file descriptor, whatever the sharing strategy is."""
    if storage.device.type != "ipex":
        return reductions.reduce_storage(storage)
    if not storage.nbytes():
        return _rebuild_empty, ()
    fd, nbytes = _share(storage)
    _remember(fd, storage)
    return rebuild_storage, (DupFd(fd), nbytes)


def rebuild_storage(sent: Any, nbytes: int) -> torch.UntypedStorage:
    """Returns the ipex storage over shared memory: the one that this process has already, or a new one."""
    fd = sent.detach()
    try:
        known = reductions.storage_from_cache(torch.UntypedStorage, _key(fd))
        if known is not None:
            return known
        mapped = torch.UntypedStorage._new_shared_fd_cpu(fd, nbytes)  # type: ignore[attr-defined]
        storage = _C.from_cpu(_bytes(mapped)).untyped_storage()
        _remember(fd, storage)
        return storage
    finally:
        os.close(fd)


def _rebuild_empty() -> torch.UntypedStorage:
    return torch.UntypedStorage(0, device="ipex")


@torch.storage._share_memory_lock_protected
def _share(storage: torch.UntypedStorage) -> tuple[int, int]:
    return _C.share_storage_(_bytes(storage)) if storage.nbytes() else (-1, 0)


def _key(fd: int) -> tuple[Any, ...]:
    return ("ipex", *reductions.fd_id(fd))  # a CPU storage over the same memory has a key of its own


def _remember(fd: int, storage: torch.UntypedStorage) -> None:
    reductions.shared_cache[_key(fd)] = reductions.StorageWeakRef(storage)


def _bytes(storage: torch.UntypedStorage) -> torch.Tensor:
    return torch.empty(0, dtype=torch.uint8, device=storage.device).set_(storage)

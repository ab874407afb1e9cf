"""torch.multiprocessing: ipex tensors travel between processes as shared memory, without a copy on the way."""

from __future__ import annotations

import functools
from collections.abc import Callable
from multiprocessing.reduction import DupFd, ForkingPickler
from typing import Any

import torch
from torch.multiprocessing import get_sharing_strategy, reductions

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
        if self.nbytes():
            _share(self)
        return self

    @functools.wraps(original_is_shared)
    def is_shared(self: torch.UntypedStorage) -> bool:
        return _shared_owner(self) is not None if self.device.type == "ipex" else original_is_shared(self)

    torch.UntypedStorage.share_memory_ = share_memory_  # type: ignore[method-assign]
    torch.UntypedStorage.is_shared = is_shared  # type: ignore[method-assign, assignment]


def reduce_storage(storage: torch.UntypedStorage) -> tuple[Any, tuple[Any, ...]]:
    """Pickles a storage for another process; one on ipex as the CPU storage in shared memory that owns its bytes.

    Not by `reductions.reduce_storage`: that would move an owner again when the sharing strategy has changed meanwhile,
    and leave the ipex storage behind.
    """
    if storage.device.type != "ipex":
        return reductions.reduce_storage(storage)
    if not storage.nbytes():
        return _rebuild_empty, ()
    owner = _share(storage)
    key: Any
    rebuild: Callable[..., torch.UntypedStorage]
    if _C.has_descriptor(_bytes(owner)):
        fd, nbytes = owner._share_fd_cpu_()
        key, rebuild, sent = reductions.fd_id(fd), reductions.rebuild_storage_fd, (DupFd(fd), nbytes)
    else:
        sent = owner._share_filename_cpu_()
        key, rebuild = sent[1], reductions.rebuild_storage_filename
        owner._shared_incref()  # for the message; whoever receives it takes it back
    reductions.shared_cache[key] = reductions.StorageWeakRef(owner)
    _remember(owner, storage)
    return rebuild_storage, (rebuild, torch.UntypedStorage, *sent)


def rebuild_storage(rebuild: Callable[..., torch.UntypedStorage], *sent: Any) -> torch.UntypedStorage:
    """Returns the ipex storage over shared memory: the one that this process has already, or a new one."""
    owner = rebuild(*sent)
    known = reductions.storage_from_cache(torch.UntypedStorage, _key(owner))
    if known is not None:
        return known
    storage = _C.from_cpu(_bytes(owner)).untyped_storage()
    _remember(owner, storage)
    return storage


def _rebuild_empty() -> torch.UntypedStorage:
    return torch.UntypedStorage(0, device="ipex")


@torch.storage._share_memory_lock_protected
def _share(storage: torch.UntypedStorage) -> torch.UntypedStorage:
    """Moves a storage into shared memory, once, and returns the CPU storage that owns its bytes from then on."""
    owner = _shared_owner(storage)
    if owner is None:
        by_name = get_sharing_strategy() == "file_system"
        make = torch.UntypedStorage._new_using_filename_cpu if by_name else torch.UntypedStorage._new_using_fd_cpu
        owner = make(storage.nbytes())
        _C.move_memory_(_bytes(storage), _bytes(owner))
    return owner


def _shared_owner(storage: torch.UntypedStorage) -> torch.UntypedStorage | None:
    owner = _C.owner_of_memory(_bytes(storage))
    return owner.untyped_storage() if owner is not None and owner.is_shared() else None


def _key(owner: torch.UntypedStorage) -> tuple[str, int]:
    return ("ipex", owner._cdata)  # no other storage has this address while an ipex storage lives that keeps the owner


def _remember(owner: torch.UntypedStorage, storage: torch.UntypedStorage) -> None:
    reductions.shared_cache[_key(owner)] = reductions.StorageWeakRef(storage)


def _bytes(storage: torch.UntypedStorage) -> torch.Tensor:
    return torch.empty(0, dtype=torch.uint8, device=storage.device).set_(storage)

"""The old per-storage tag "this is a parameter": kept beside the storages, never on them, and gone when they go.

A weak reference keeps the address of a freed storage reserved, so an entry can never be mistaken for a newer storage.
"""

from __future__ import annotations

import threading

import torch
from torch.multiprocessing.reductions import StorageWeakRef

_lock = threading.Lock()
_tagged: dict[int, StorageWeakRef] = {}


def add(tensor: torch.Tensor) -> None:
    """Tags the storage of `tensor`, and with it every view of it."""
    reference = StorageWeakRef(tensor.untyped_storage())
    with _lock:
        for key in [key for key, other in _tagged.items() if other.expired()]:
            del _tagged[key]
        _tagged[reference.cdata] = reference


def has(tensor: torch.Tensor) -> bool:
    """Returns whether the storage of `tensor` is tagged."""
    with _lock:
        return StorageWeakRef(tensor.untyped_storage()).cdata in _tagged

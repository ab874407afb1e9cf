"""Saving and loading take the values of ipex storages without asking for their address."""

from __future__ import annotations

import functools
import sys
from typing import Any

import torch

WHY = """`torch.load` compares the address of every storage with zero, `torch.save` compares the addresses with each other, and
the old format, which pickling uses, writes from the address. A storage whose address was given away drops its packed copies
and keeps its plain bytes for good, because nobody can know how long the pointer is used; a model that was loaded with
`map_location="ipex"`, saved or pickled would then hold its weights twice, plain and packed."""
UPSTREAM = "torch/serialization.py, TypedStorage._data_ptr() and UntypedStorage.data_ptr(); no issue is open"
REMOVE_WHEN = "torch.serialization asks for the number of bytes and for the identity of storages instead"


def apply() -> None:
    """Wraps three methods of storages for calls from `torch.serialization`: identity for address, a copy for writing."""
    typed_data_ptr = torch.TypedStorage._data_ptr
    untyped_data_ptr = torch.UntypedStorage.data_ptr
    write_file = torch.UntypedStorage._write_file

    @functools.wraps(typed_data_ptr)
    def of_typed(self: Any) -> int:
        storage = self._untyped_storage
        if storage.device.type == "ipex" and _is_serialization(sys._getframe(1)):
            return _identity(storage)
        return typed_data_ptr(self)

    @functools.wraps(untyped_data_ptr)
    def of_untyped(self: torch.UntypedStorage) -> int:
        if self.device.type == "ipex" and _is_serialization(sys._getframe(1)):
            return _identity(self)
        return untyped_data_ptr(self)

    @functools.wraps(write_file)
    def write(self: torch.UntypedStorage, *args: Any, **kwargs: Any) -> Any:
        return write_file(self.cpu() if self.device.type == "ipex" else self, *args, **kwargs)

    torch.TypedStorage._data_ptr = of_typed  # type: ignore[method-assign]
    torch.UntypedStorage.data_ptr = of_untyped  # type: ignore[method-assign, assignment]
    torch.UntypedStorage._write_file = write  # type: ignore[method-assign, assignment]


def _is_serialization(frame: Any) -> bool:
    return frame.f_globals.get("__name__") == "torch.serialization"


def _identity(storage: torch.UntypedStorage) -> int:
    return storage._cdata if storage.nbytes() else 0

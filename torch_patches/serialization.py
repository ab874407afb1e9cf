"""Loading tells empty storages from others without asking for their memory."""

from __future__ import annotations

import functools
import sys
from typing import Any

import torch

WHY = """`torch.load` compares the address of every storage with zero. A storage whose address was given away keeps its plain
bytes for good, because nobody can know how long the pointer is used; a model loaded with `map_location="ipex"` would
then hold its weights twice, plain and packed."""
UPSTREAM = "torch/serialization.py, TypedStorage._data_ptr(); no issue is open"
REMOVE_WHEN = "torch.serialization asks for the number of bytes instead"


def apply() -> None:
    """Wraps `TypedStorage._data_ptr` for calls from `torch.serialization`: the storage's identity instead of its address."""
    original = torch.TypedStorage._data_ptr

    @functools.wraps(original)
    def data_ptr(self: Any) -> int:
        storage = self._untyped_storage
        if storage.device.type == "ipex" and sys._getframe(1).f_globals.get("__name__") == "torch.serialization":
            return storage._cdata if storage.nbytes() else 0
        return original(self)

    torch.TypedStorage._data_ptr = data_ptr  # type: ignore[method-assign]

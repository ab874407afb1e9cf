"""Copies samples to a device so that strides, offsets, shared storages and repeated tensors stay as they were."""

from __future__ import annotations

from typing import Any

import torch


class Transfer:
    """Copies the tensors of nested structures to one device; everything else but the device itself passes through.

    `Tensor.to` would compact non-dense strides and copy a shared storage once per tensor, so a run on the copy could
    not show a wrong stride or a lost alias. Strided tensors are therefore rebuilt over a copy of their whole storage,
    and tensors that share a storage (or are the same object) before still do afterwards.

    Args:
        device: Where the copies live.
        requires_grad: Whether copies of tensors that require gradients require them too, default True.

    Example:
        >>> base = torch.arange(6.)
        >>> first, second = Transfer("cpu")([base[::2], base[1:]])
        >>> first.stride(), first.untyped_storage().data_ptr() == second.untyped_storage().data_ptr()
        ((2,), True)
    """

    def __init__(self, device: torch.device | str, *, requires_grad: bool = True) -> None:
        self._device = torch.device(device)
        self._requires_grad = requires_grad
        self._storages: dict[int, torch.UntypedStorage] = {}
        self._tensors: dict[int, torch.Tensor] = {}
        self.placed = False
        """Whether anything so far went to the device: without it an operator has no reason to run there."""

    def __call__(self, value: Any) -> Any:
        """Returns a copy of `value` (any nesting of list, tuple and dict) whose tensors live on the device."""
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if isinstance(value, torch.device) or (isinstance(value, str) and value == "cpu"):
            self.placed = True
            return self._device
        if isinstance(value, torch.Size):
            return value
        if isinstance(value, dict):
            return {key: self(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self(item) for item in value]
        if isinstance(value, tuple):
            items = [self(item) for item in value]
            return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
        return value

    def _tensor(self, source: torch.Tensor) -> torch.Tensor:
        self.placed = True
        copy = self._tensors.get(id(source))
        if copy is None:
            with torch.no_grad():
                copy = self._strided(source) if _is_plain(source) else source.detach().clone().to(self._device)
            copy.requires_grad_(self._requires_grad and source.requires_grad)
            self._tensors[id(source)] = copy
        return copy

    def _strided(self, source: torch.Tensor) -> torch.Tensor:
        storage = self._storage(source.untyped_storage())
        copy = torch.empty(0, dtype=source.dtype, device=self._device)
        copy.set_(storage, source.storage_offset(), source.size(), source.stride())
        if source.is_neg():
            copy = torch._neg_view(copy)
        return copy.conj() if source.is_conj() else copy

    def _storage(self, source: torch.UntypedStorage) -> torch.UntypedStorage:
        copy = self._storages.get(source._cdata)
        if copy is None:
            copy = torch.UntypedStorage(source.nbytes(), device=self._device)
            copy.copy_(source)
            self._storages[source._cdata] = copy
        return copy


def _is_plain(tensor: torch.Tensor) -> bool:
    return tensor.layout is torch.strided and not tensor.is_nested and not tensor.is_quantized

"""Walks the tensors inside nested lists, tuples and dictionaries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch


def tensors_in(value: object) -> Iterator[torch.Tensor]:
    """Yields every tensor inside `value`, depth first, repeated as often as it occurs."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors_in(item)


def components(tensor: torch.Tensor) -> list[torch.Tensor]:
    """The strided tensors that hold the data of `tensor`: itself, or the parts of a sparse or nested one."""
    if tensor.layout is torch.sparse_coo:
        return [tensor._indices(), tensor._values()]
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        return [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
    if tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        return [tensor.ccol_indices(), tensor.row_indices(), tensor.values()]
    if tensor.is_nested:
        return [tensor.values()]
    return [tensor]

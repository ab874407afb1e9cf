"""float32 memory that one batch of parameters uses after the other."""

from __future__ import annotations

import torch
from torch import Tensor

from .layouts import float32_like, is_dense

_LINE = 16  # float32 numbers: every tensor begins where a cache line does


class Scratch:
    """Memory for the values and gradients of a batch. It is asked for once, and stays in the caches of the processor.

    Args:
        tensors: most tensors of a batch.
        elements: most elements that all tensors of a batch have together.

    Example:
        >>> scratch, weight = Scratch(1, 12), torch.ones(3, 4).bfloat16()
        >>> for _ in range(2):
        ...     scratch.begin(weight.device)
        ...     value = scratch.like(weight).copy_(weight)
        >>> value.sum()
        tensor(12.)
    """

    def __init__(self, tensors: int, elements: int) -> None:
        self._count = elements + _LINE * tensors
        self._memory: Tensor | None = None
        self._used = 0

    def begin(self, device: torch.device) -> None:
        """Begins a batch on `device`. It may overwrite what `like` gave to the one before."""
        if self._memory is None or self._memory.device != device:
            self._memory = torch.empty(self._count, dtype=torch.float32, device=device)
        self._used = 0

    def like(self, tensor: Tensor) -> Tensor:
        """Returns memory of the shape of `tensor`, uninitialised, with its strides where these are dense."""
        if self._memory is None or not is_dense(tensor):
            return float32_like(tensor)
        first = self._used
        self._used += -(-tensor.numel() // _LINE) * _LINE
        return self._memory.as_strided(tensor.shape, tensor.stride(), first)

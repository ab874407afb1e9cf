"""`embeddingbag`: `torch.embedding_bag` under the name and with the results of the archived device API."""

from __future__ import annotations

import torch
from torch import Tensor


def embeddingbag(
    weights: Tensor,
    indices: Tensor,
    offsets: Tensor,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
) -> list[Tensor]:
    """Returns sums, means or maxima of the rows of a table, with what their backward pass needs.

    Args:
        weights: the table, [rows, D].
        indices: integers, [number of indices].
        offsets: where each bag begins in `indices`, [bags].
        scale_grad_by_freq: divide gradients by how often a row occurs.
        mode: 0 sums, 1 means, 2 maxima.
        sparse: make the gradient of `weights` a sparse tensor.
        per_sample_weights: factors of the rows, [number of indices]; sums only.
        include_last_offset: `offsets` has one more entry, the number of indices.

    Returns:
        The bags, [bags, D], and three tensors of `torch.embedding_bag`.

    Raises:
        RuntimeError: as `torch.embedding_bag` does.

    Example:
        >>> table = torch.tensor([[1.0], [2.0], [4.0]])
        >>> ipex.nn.functional.embeddingbag(table, torch.tensor([0, 2, 1]), torch.tensor([0, 2]))[0].tolist()
        [[5.0], [2.0]]
    """
    found = torch.embedding_bag(
        weights, indices, offsets, scale_grad_by_freq, mode, sparse, per_sample_weights, include_last_offset
    )
    return list(found)

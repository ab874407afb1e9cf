"""`frozen_batch_norm`: batch normalisation with statistics that do not change."""

from __future__ import annotations

import torch
from torch import Tensor


def frozen_batch_norm(
    input: Tensor, weight: Tensor, bias: Tensor, running_mean: Tensor, running_var: Tensor, eps: float = 0.0
) -> Tensor:
    """Returns `(input - running_mean) / sqrt(running_var + eps) * weight + bias` for every channel.

    Args:
        input: [N, C, ...], floating point.
        weight: [C].
        bias: [C].
        running_mean: [C].
        running_var: [C].
        eps: added to the variance; the archived device API had none.

    Returns:
        Shape and dtype of `input`, with a gradient if an input has one.

    Raises:
        RuntimeError: as `torch.nn.functional.batch_norm` does.

    Source: Ioffe and Szegedy, "Batch Normalization", 2015, with the statistics of inference.

    Example:
        >>> one, zero = torch.ones(1), torch.zeros(1)
        >>> ipex.nn.functional.frozen_batch_norm(torch.full((1, 1, 1, 1), 6.0), one, zero, 2 * one, 4 * one).item()
        2.0
    """
    return torch.nn.functional.batch_norm(input, running_mean, running_var, weight, bias, training=False, eps=eps)

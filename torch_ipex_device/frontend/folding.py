"""The arithmetic of folding a batch norm into the layer before it.

    y = (W x + b - mean) / sqrt(var + eps) * gamma + beta = (s W) x + (s (b - mean) + beta),  s = gamma / sqrt(var + eps)

It is done in float64, where each step is rounded the same way on every processor, so it can be repeated bit for bit.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d


def fold(weight: Tensor, bias: Tensor, batch_norm: BatchNorm) -> tuple[Tensor, Tensor]:
    """Returns the weight and the bias of a layer that computes what layer and batch norm do.

    Args:
        weight: [channels, ...]; the strides of the result are these.
        bias: [channels].
        batch_norm: of as many channels, with running statistics.
    """
    mean, variance = batch_norm.running_mean, batch_norm.running_var
    gamma, beta = batch_norm._parameters["weight"], batch_norm._parameters["bias"]
    assert mean is not None and variance is not None
    scale = 1 / (variance.double() + batch_norm.eps).sqrt()
    if gamma is not None:
        scale = scale * gamma.detach().double()
    shifted = (bias.double() - mean.double()) * scale
    if beta is not None:
        shifted = shifted + beta.detach().double()
    factor = scale.reshape(-1, *[1] * (weight.dim() - 1))
    return (weight.double() * factor).to(weight.dtype), shifted.to(bias.dtype)


@torch.no_grad()
def neutralise(batch_norm: BatchNorm, bias: Tensor | None) -> None:
    """Changes a batch norm, in place, so that it adds `bias` and does nothing else.

    Args:
        batch_norm: with running statistics.
        bias: [channels]; None adds nothing.
    """
    mean, variance = batch_norm.running_mean, batch_norm.running_var
    gamma, beta = batch_norm._parameters["weight"], batch_norm._parameters["bias"]
    assert mean is not None and variance is not None
    if gamma is not None and beta is not None:  # keeps the statistics
        gamma.copy_((variance.double() + batch_norm.eps).sqrt())
        beta.copy_(mean if bias is None else mean + bias)
        return
    variance.fill_(1 - batch_norm.eps)
    mean.copy_(torch.zeros_like(mean) if bias is None else -bias)
    if gamma is not None:
        gamma.fill_(1)
    if beta is not None:
        beta.zero_()

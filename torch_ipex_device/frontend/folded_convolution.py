"""The convolutions into which a batch norm was folded.

Batch norms have float32 parameters in models of low precision too. The bias that one became therefore stays float32 when the
weight is cast: rounded to bfloat16 it costs 1.4 dB in GoogLeNet.
"""

from __future__ import annotations

from torch import Tensor, nn

from . import functional, modules


class _Folded(nn.modules.conv._ConvNd):
    """PyTorch's operators want a bias of the weight's dtype, outside of autocast."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        result: Tensor = super()._conv_forward(input, weight, functional.bias_beside(weight, bias))
        return result


class FoldedConv1d(_Folded, nn.Conv1d):
    """`torch.nn.Conv1d` and the `BatchNorm1d` that followed it."""


class FoldedConv2d(_Folded, nn.Conv2d):
    """`torch.nn.Conv2d` and the `BatchNorm2d` that followed it."""


class FoldedConv3d(_Folded, nn.Conv3d):
    """`torch.nn.Conv3d` and the `BatchNorm3d` that followed it."""


FOLDED: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv1d: FoldedConv1d,
    nn.Conv2d: FoldedConv2d,
    nn.Conv3d: FoldedConv3d,
}
"""PyTorch's class -> the class with a folded batch norm. The classes of `modules` take a float32 bias anyway."""

NATIVE: dict[type[nn.Module], type[nn.Module]] = {
    folded: getattr(modules, stock.__name__) for stock, folded in FOLDED.items()
}
"""The class with a folded batch norm -> the one with native operators."""

"""The linear layer into which a batch norm was folded.

Batch norm normalises dimension 1. In a matrix [batch, features] these are the features, and the folded weight is right. In
[batch, length, features] they are not: then the layer computes with its original weight and calls the batch norm.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from . import functional, modules
from .originals import originals_of


class FoldedLinear(nn.Linear):
    """`torch.nn.Linear` and the `BatchNorm1d` that followed it."""

    def forward(self, input: Tensor) -> Tensor:
        originals = originals_of(self)
        if input.dim() == 2 or originals is None or originals.batch_norm is None:
            return self._product(input)
        originals.settle(self)
        entries = originals.entries
        weight, bias = (entries[name].value().to(self.weight.dtype) for name in ("weight", "bias"))
        result: Tensor = originals.batch_norm(F.linear(input, weight, None if "bias" in originals.hidden else bias))
        return result

    def _product(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, functional.bias_beside(self.weight, self.bias))


class NativeFoldedLinear(FoldedLinear, modules.Linear):
    """The same on `torch_ipex::linear`."""

    def _product(self, input: Tensor) -> Tensor:
        return functional.linear(input, self.weight, self.bias)

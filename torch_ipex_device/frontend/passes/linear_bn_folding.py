"""Folds batch norms into the linear layers before them, where batch norm's channels are the features: BatchNorm1d."""

from __future__ import annotations

from torch import nn

from torch_ipex_device.frontend.folded_batch_norm import fold_into
from torch_ipex_device.frontend.folded_linear import FoldedLinear, NativeFoldedLinear
from torch_ipex_device.frontend.modules import Linear
from torch_ipex_device.frontend.tracing import Traces

from . import batch_norm

_CLASSES: batch_norm.Classes = {nn.Linear: nn.BatchNorm1d}


def run(model: nn.Module, traces: Traces, explicit: bool) -> None:
    """Changes a model in evaluation mode in place; arguments as in conv_bn_folding."""
    for layer, norm in batch_norm.pairs(model, traces, _CLASSES):
        fold_into(layer, norm)
        layer.__class__ = NativeFoldedLinear if isinstance(layer, Linear) else FoldedLinear
    if explicit:
        batch_norm.report("linear_bn_folding", model, traces, _CLASSES)

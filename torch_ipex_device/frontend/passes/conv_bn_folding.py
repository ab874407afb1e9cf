"""Folds batch norms into the convolutions before them."""

from __future__ import annotations

from torch import nn

from torch_ipex_device.frontend.folded_batch_norm import fold_into
from torch_ipex_device.frontend.tracing import Traces

from . import batch_norm

_CLASSES: batch_norm.Classes = {nn.Conv1d: nn.BatchNorm1d, nn.Conv2d: nn.BatchNorm2d, nn.Conv3d: nn.BatchNorm3d}


def run(model: nn.Module, traces: Traces, explicit: bool) -> None:
    """Changes a model in evaluation mode in place.

    Args:
        model: the model.
        traces: its data flow.
        explicit: whether the user asked for this pass, so that he wants to know what could not be done.
    """
    for layer, norm in batch_norm.pairs(model, traces, _CLASSES):
        fold_into(layer, norm)
    if explicit:
        batch_norm.report("conv_bn_folding", model, traces, _CLASSES)

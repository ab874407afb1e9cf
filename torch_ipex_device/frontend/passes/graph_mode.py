"""Lets the model run captured graphs."""

from __future__ import annotations

from torch import nn

from torch_ipex_device.frontend.graph import GraphForward
from torch_ipex_device.frontend.notice import warn


def run(model: nn.Module) -> None:
    """Replaces `forward` of a model, in place.

    Args:
        model: the model.

    Warns:
        UserWarning: the model is in training mode; nothing is done.
    """
    if model.training:
        warn("optimize: graph_mode is for inference; the model runs as it is")
    elif not isinstance(vars(model).get("forward"), GraphForward):
        vars(model)["forward"] = GraphForward(model)

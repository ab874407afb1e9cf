"""Replaces dropout, which does nothing in evaluation mode, by an identity."""

from __future__ import annotations

from torch import nn

_CLASSES = (nn.AlphaDropout, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.FeatureAlphaDropout)


def run(model: nn.Module) -> None:
    """Makes identities of the dropouts of a model, in place; the attribute `p` stays.

    Args:
        model: the model; subclasses of dropouts, and those in training mode, are left alone.
    """
    for module in model.modules():
        if type(module) in _CLASSES and not module.training and "forward" not in vars(module):
            module.__class__ = nn.Identity

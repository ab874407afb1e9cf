"""What stays of a batch norm that was folded into the layer before it: an `nn.Identity` that remembers its state.

The object stays the same, so whoever refers to it calls the identity; only its class and its tensors change.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from .folding import BatchNorm
from .original import Original
from .originals import keep_originals, originals_of

_ATTRIBUTE = "_ipex_folded"


class FoldedBatchNorm:
    """The state of a folded batch norm.

    Attributes:
        batch_norm: a module with its parameters, buffers and settings, that is no part of the model.
        layer: the layer into which it was folded.
    """

    def __init__(self, module: nn.Module, batch_norm: BatchNorm, layer: nn.Module) -> None:
        self.batch_norm = batch_norm
        self.layer = layer
        self._handles = [
            module.register_state_dict_post_hook(_show),
            module.register_load_state_dict_pre_hook(_before_load),
            module.register_load_state_dict_post_hook(_after_load),
        ]


def fold_into(layer: nn.Module, module: BatchNorm) -> None:
    """Folds a batch norm into the layer before it and leaves an identity in its place.

    Args:
        layer: a plain convolution or linear layer that shares its parameters with nobody.
        module: a plain batch norm in evaluation mode, of as many channels as the layer's output has.
    """
    keep_originals([layer])
    originals = originals_of(layer)
    assert originals is not None
    if layer._parameters["bias"] is None:
        weight = originals.entries["weight"].value()
        originals.hidden = frozenset({"bias"})
        zeros = nn.Parameter(weight.new_zeros(weight.shape[0]), requires_grad=weight.requires_grad)
        originals.entries["bias"] = Original(zeros)
    originals.batch_norm = _detach(module)
    originals.replace(layer)
    vars(module)[_ATTRIBUTE] = FoldedBatchNorm(module, originals.batch_norm, layer)


def _detach(module: BatchNorm) -> BatchNorm:
    """Moves the state of a batch norm to a new one and makes the old one an identity."""
    batch_norm = type(module)(module.num_features, module.eps, module.momentum, affine=False)
    batch_norm._parameters.update(module._parameters)
    batch_norm._buffers.update(module._buffers)
    batch_norm.affine = module.affine
    batch_norm.eval()
    module._parameters.clear()
    module._buffers.clear()
    module.__class__ = nn.Identity  # type: ignore[assignment]
    return batch_norm


def _show(module: nn.Module, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any]) -> None:
    folded: FoldedBatchNorm = vars(module)[_ATTRIBUTE]
    if (originals := originals_of(folded.layer)) is not None:
        originals.settle(folded.layer)
    state_dict.update(folded.batch_norm.state_dict(prefix=prefix))
    local_metadata["version"] = folded.batch_norm._version


def _before_load(
    module: nn.Module,
    state_dict: dict[str, Any],
    prefix: str,
    local_metadata: dict[str, Any],
    *rest: Any,
) -> None:
    """Loads the batch norm, and takes its keys away from the identity."""
    folded: FoldedBatchNorm = vars(module)[_ATTRIBUTE]
    if (originals := originals_of(folded.layer)) is not None:
        originals.settle(folded.layer)
    metadata = {key: value for key, value in local_metadata.items() if key != "assign_to_params_buffers"}
    folded.batch_norm._load_from_state_dict(state_dict, prefix, metadata, *rest)
    for key in [key for key in state_dict if key.startswith(prefix)]:
        del state_dict[key]


def _after_load(module: nn.Module, incompatible_keys: Any) -> None:
    folded: FoldedBatchNorm = vars(module)[_ATTRIBUTE]
    if (originals := originals_of(folded.layer)) is not None:
        originals.write(folded.layer)

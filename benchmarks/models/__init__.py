"""The models of the comparison, by name. Nothing here imports torch_ipex_device: a peer's environment need not have it."""

from .table import MODELS, Model, loss, target_of
from .trained import TRAINED, Trained


def find(name: str) -> Model:
    """Returns the model of that name, with random or with learnt weights."""
    return {**MODELS, **TRAINED}[name]


__all__ = ["MODELS", "TRAINED", "Model", "Trained", "find", "loss", "target_of"]

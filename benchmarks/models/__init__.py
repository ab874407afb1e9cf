"""The models of the comparison, by name. Nothing here imports torch_ipex_device: a peer's environment need not have it."""

from .table import MODELS, Model, loss, target_of

__all__ = ["MODELS", "Model", "loss", "target_of"]

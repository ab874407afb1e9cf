"""`ipex.optim`: optimizers that PyTorch does not have."""

from .split_sgd import SplitSGD

__all__ = ["SplitSGD"]

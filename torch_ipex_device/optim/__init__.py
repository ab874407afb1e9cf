"""`ipex.optim`: optimizers that PyTorch does not have, and float32 master weights for those that it has."""

from .lamb import Lamb
from .lars import Lars
from .split_float import cat_bfloat16_float, split_float_bfloat16
from .split_sgd import SplitSGD

__all__ = ["Lamb", "Lars", "SplitSGD", "cat_bfloat16_float", "split_float_bfloat16"]

"""The table of optimizer classes: which ones update each parameter by itself, and which have a fused kernel for CPU."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .lamb import Lamb
from .lars import Lars
from .split_sgd import SplitSGD


@dataclass(frozen=True)
class OptimizerClass:
    """One row of the table. Subclasses are not meant: they may do anything in `step`.

    Attributes:
        cls: the class. Its `step` may be called for some parameters after others, with the same result.
        is_elementwise: whether its `step` may be called for some elements of a parameter after others, too.
        has_fused_kernel: whether its groups have an option `fused` that works on CPU.
    """

    cls: type[torch.optim.Optimizer]
    is_elementwise: bool = False
    has_fused_kernel: bool = False


CLASSES: dict[type[torch.optim.Optimizer], OptimizerClass] = {
    row.cls: row
    for row in (
        OptimizerClass(Lamb),
        OptimizerClass(Lars),
        OptimizerClass(SplitSGD, is_elementwise=True),
        OptimizerClass(torch.optim.ASGD, is_elementwise=True),
        OptimizerClass(torch.optim.Adadelta, is_elementwise=True),
        OptimizerClass(torch.optim.Adafactor),
        OptimizerClass(torch.optim.Adagrad, is_elementwise=True, has_fused_kernel=True),
        OptimizerClass(torch.optim.Adam, is_elementwise=True, has_fused_kernel=True),
        OptimizerClass(torch.optim.AdamW, is_elementwise=True, has_fused_kernel=True),
        OptimizerClass(torch.optim.Adamax, is_elementwise=True),
        OptimizerClass(torch.optim.Muon),
        OptimizerClass(torch.optim.NAdam, is_elementwise=True),
        OptimizerClass(torch.optim.RAdam, is_elementwise=True),
        OptimizerClass(torch.optim.RMSprop, is_elementwise=True),
        OptimizerClass(torch.optim.Rprop, is_elementwise=True),
        OptimizerClass(torch.optim.SGD, is_elementwise=True, has_fused_kernel=True),
        OptimizerClass(torch.optim.SparseAdam),
    )
}

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
        has_fused_kernel: whether its groups have an option `fused` that works on CPU.
    """

    cls: type[torch.optim.Optimizer]
    has_fused_kernel: bool = False


CLASSES: dict[type[torch.optim.Optimizer], OptimizerClass] = {
    row.cls: row
    for row in (
        OptimizerClass(Lamb),
        OptimizerClass(Lars),
        OptimizerClass(SplitSGD),
        OptimizerClass(torch.optim.ASGD),
        OptimizerClass(torch.optim.Adadelta),
        OptimizerClass(torch.optim.Adafactor),
        OptimizerClass(torch.optim.Adagrad, has_fused_kernel=True),
        OptimizerClass(torch.optim.Adam, has_fused_kernel=True),
        OptimizerClass(torch.optim.AdamW, has_fused_kernel=True),
        OptimizerClass(torch.optim.Adamax),
        OptimizerClass(torch.optim.Muon),
        OptimizerClass(torch.optim.NAdam),
        OptimizerClass(torch.optim.RAdam),
        OptimizerClass(torch.optim.RMSprop),
        OptimizerClass(torch.optim.Rprop),
        OptimizerClass(torch.optim.SGD, has_fused_kernel=True),
        OptimizerClass(torch.optim.SparseAdam),
    )
}

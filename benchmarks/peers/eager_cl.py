"""Stock PyTorch, operator by operator, with images and weights in channels-last order."""

from __future__ import annotations

from pathlib import Path

import torch

from comparison.workload import Workload

from . import eager
from .program import Program

DISTRIBUTIONS = eager.DISTRIBUTIONS


def prepare(workload: Workload, folder: Path) -> Program:
    """Returns the model in channels-last order."""
    return eager.prepare(workload, folder, torch.channels_last)

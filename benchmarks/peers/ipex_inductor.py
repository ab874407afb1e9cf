"""This project: the model on the device `ipex`, compiled by the default backend of `torch.compile`."""

from __future__ import annotations

from pathlib import Path

from comparison.workload import Workload

from . import ipex
from .program import Program

DISTRIBUTIONS = ipex.DISTRIBUTIONS


def prepare(workload: Workload, folder: Path) -> Program:
    """Returns the model on the device; compilation happens in the first iteration."""
    return ipex.prepare(workload, folder, compiles=True)

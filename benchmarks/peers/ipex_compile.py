"""This project's front end, compiled: `ipex.optimize`, then `torch.compile(backend="ipex")` on the inductor path."""

from __future__ import annotations

from pathlib import Path

from comparison.workload import Workload

from . import ipex_optimize
from .program import Program

DISTRIBUTIONS = ipex_optimize.DISTRIBUTIONS


def prepare(workload: Workload, folder: Path) -> Program:
    """Returns the compiled model; compilation happens in the first iteration."""
    return ipex_optimize.prepare(workload, folder, "inductor")

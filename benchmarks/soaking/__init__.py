"""What `soak.py` runs, and how it watches the process."""

from .table import ACTIONS
from .watch import Figure, Sample, Sampler, figures
from .workload import Workload

__all__ = ["ACTIONS", "Figure", "Sample", "Sampler", "Workload", "figures"]

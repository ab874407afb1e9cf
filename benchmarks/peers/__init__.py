"""The alternatives of the comparison: one row per alternative here, and one file that says how it runs a model."""

from .table import ALTERNATIVES, BASELINES, Alternative

__all__ = ["ALTERNATIVES", "BASELINES", "Alternative"]

"""Helpers shared by tests, benchmarks and the demo: copying samples, comparing runs with CPU, faults on purpose."""

from .fault_injection import faults

__all__ = ["faults"]

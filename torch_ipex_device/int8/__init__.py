"""`ipex.int8`: recipes of INT8 inference as files, their scales, what INT8 costs and gains by layer, and its tuning."""

from .recipe import Entry, is_legacy, load, save, validate
from .report import Report, report
from .report_latency import Latency
from .report_layer import Layer
from .scales import Statistics, scale_of
from .tune import Trial, Tuned, tune

__all__ = [
    "Entry",
    "Latency",
    "Layer",
    "Report",
    "Statistics",
    "Trial",
    "Tuned",
    "is_legacy",
    "load",
    "report",
    "save",
    "scale_of",
    "tune",
    "validate",
]

"""`ipex.int8`: the recipe of INT8 inference as a file, and how its scales follow from what calibration saw."""

from .recipe import Entry, is_legacy, load, save, validate
from .scales import Statistics, scale_of

__all__ = ["Entry", "Statistics", "is_legacy", "load", "save", "scale_of", "validate"]

"""`ipex.nn`: modules and functions of the archived extension that PyTorch does not have."""

from . import functional, modules
from .modules import FrozenBatchNorm2d, LinearRelu, ROIAlign

__all__ = ["FrozenBatchNorm2d", "LinearRelu", "ROIAlign", "functional", "modules"]

"""Activates the device before any test module is imported, so that PyTorch's own test databases know it."""

import torch_ipex_device
from primitives import MOST_LASTING

torch_ipex_device._C.set_most_lasting_primitives(MOST_LASTING)  # all of them are to be fused

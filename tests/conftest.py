"""Activates the device before any test module is imported, so that PyTorch's own test databases know it."""

import torch_ipex_device

# The suite may compile more convolutions than that in one process; fusion is tested to the end.
torch_ipex_device._C.set_most_lasting_primitives(1 << 40)

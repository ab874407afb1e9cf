"""Activates the device before any test module is imported, so that PyTorch's own test databases know it."""

import torch_ipex_device  # noqa: F401

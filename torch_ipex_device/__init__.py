"""torch_ipex_device: a PyTorch device for CPUs, named `ipex`, with kernels from oneDNN.

Importing this package activates the device: it loads oneDNN and the C++ library, registers kernels, guard, allocator and
generator, and applies the few patches of torch_patches. It prints nothing and starts no thread.

Example:
    >>> import torch, torch_ipex_device as ipex
    >>> torch.ones(2, device=ipex.DEVICE).add(1).cpu()
    tensor([2., 2.])
"""

from . import _activate
from .version import __version__

DEVICE = "ipex:0"
"""The device string, as `torch.Tensor.to` takes it. A `str`, like that of the archived extension."""

_C = _activate.activate()

from . import amp, custom_ops, int8, optim  # noqa: E402 - they need the library that activate() loads
from .amp.mode import (  # noqa: E402
    AmpConf,
    AutoMixPrecision,
    enable_auto_mixed_precision,
    get_auto_mix_precision,
    get_train,
)
from .compiler import _get_compiler_backend, _set_compiler_backend  # noqa: E402
from .device.explain import explain  # noqa: E402
from .device.forms import physical_form  # noqa: E402

__all__ = [
    "DEVICE",
    "AmpConf",
    "AutoMixPrecision",
    "__version__",
    "_get_compiler_backend",
    "_set_compiler_backend",
    "amp",
    "custom_ops",
    "enable_auto_mixed_precision",
    "explain",
    "get_auto_mix_precision",
    "get_train",
    "int8",
    "optim",
    "physical_form",
]

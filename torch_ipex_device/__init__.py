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

from . import amp, cpu, custom_ops, int8, nn, optim  # noqa: E402 - they need the library that activate() loads
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
from .frontend import isa  # noqa: E402
from .frontend.channels_last_mode import (  # noqa: E402
    auto_channels_last_enabled,
    disable_auto_channels_last,
    enable_auto_channels_last,
)
from .frontend.math_mode import FP32MathMode, get_fp32_math_mode, set_fp32_math_mode  # noqa: E402
from .frontend.optimize import optimize  # noqa: E402
from .frontend.verbose import VERBOSE_OFF, VERBOSE_ON, VERBOSE_ON_CREATION, verbose  # noqa: E402

__all__ = [
    "DEVICE",
    "VERBOSE_OFF",
    "VERBOSE_ON",
    "VERBOSE_ON_CREATION",
    "AmpConf",
    "AutoMixPrecision",
    "FP32MathMode",
    "__version__",
    "_get_compiler_backend",
    "_set_compiler_backend",
    "amp",
    "auto_channels_last_enabled",
    "cpu",
    "custom_ops",
    "disable_auto_channels_last",
    "enable_auto_channels_last",
    "enable_auto_mixed_precision",
    "explain",
    "get_auto_mix_precision",
    "get_fp32_math_mode",
    "get_train",
    "int8",
    "isa",
    "nn",
    "optim",
    "optimize",
    "physical_form",
    "set_fp32_math_mode",
    "verbose",
]

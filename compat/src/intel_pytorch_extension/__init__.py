"""The import name of the archived device API: forwards to torch_ipex_device; `core` has the old switches.

Example:
    >>> import torch, intel_pytorch_extension as ipex
    >>> torch.ones(2).to(ipex.DEVICE).device
    device(type='ipex', index=0)
"""

from __future__ import annotations

from typing import Any

from _torch_ipex_device_compat.conflict import check_no_original_installed

check_no_original_installed()

from _torch_ipex_device_compat import submodules  # noqa: E402
from _torch_ipex_device_compat.device_modules import FrozenBatchNorm2d  # noqa: E402
from _torch_ipex_device_compat.device_names import NAMES  # noqa: E402
from _torch_ipex_device_compat.forward import attribute  # noqa: E402
from torch_ipex_device import DEVICE, __version__  # noqa: E402

submodules.install(submodules.SubmoduleFinder(__name__, NAMES, own=frozenset({f"{__name__}.core"})))

from . import core  # noqa: E402

__all__ = ["DEVICE", "FrozenBatchNorm2d", "__version__", "core"]


def __getattr__(name: str) -> Any:
    return attribute(__name__, "", name, NAMES)

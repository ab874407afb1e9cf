"""The import name of the archived front end: forwards to torch_ipex_device.

Example:
    >>> import torch, intel_extension_for_pytorch as ipex
    >>> torch.ones(2).to(ipex.DEVICE).device
    device(type='ipex', index=0)
"""

from __future__ import annotations

from typing import Any

from _torch_ipex_device_compat.conflict import check_no_original_installed

check_no_original_installed()

from _torch_ipex_device_compat import submodules  # noqa: E402
from _torch_ipex_device_compat.forward import attribute  # noqa: E402
from _torch_ipex_device_compat.front_end_names import REPLACEMENTS  # noqa: E402
from torch_ipex_device import DEVICE, __version__  # noqa: E402

submodules.install(submodules.SubmoduleFinder(__name__))

__all__ = ["DEVICE", "__version__"]


def __getattr__(name: str) -> Any:
    return attribute(__name__, name, REPLACEMENTS)

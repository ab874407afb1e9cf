"""The import name of the archived front end: forwards to torch_ipex_device; `_C` answers for instruction sets.

Example:
    >>> import torch, intel_extension_for_pytorch as ipex
    >>> torch.ones(2).to(ipex.DEVICE).device
    device(type='ipex', index=0)
"""

from __future__ import annotations

from typing import Any

import torch

from _torch_ipex_device_compat.conflict import check_no_original_installed

check_no_original_installed()

from _torch_ipex_device_compat import submodules  # noqa: E402
from _torch_ipex_device_compat.forward import attribute  # noqa: E402
from _torch_ipex_device_compat.front_end_names import NAMES  # noqa: E402
from torch_ipex_device import DEVICE, __version__  # noqa: E402

submodules.install(submodules.SubmoduleFinder(__name__, NAMES, own=frozenset({f"{__name__}._C"})))

from . import _C  # noqa: E402

__all__ = ["DEVICE", "_C", "__version__", "has_cpu", "has_xpu", "version"]


def has_cpu() -> bool:
    """Returns True: this build computes on CPUs."""
    return True


def has_xpu() -> bool:
    """Returns False: GPUs are PyTorch's own business, `torch.xpu`."""
    return False


def version() -> None:
    """Prints the versions of this package and of what it runs on."""
    from torch_ipex_device._C import build_info

    print(f"torch_ipex_device version: {__version__}")
    print(f"torch version and sha: {torch.__version__}, {torch.version.git_version}")
    print(f"oneDNN version: {build_info()['onednn']}")


def __getattr__(name: str) -> Any:
    return attribute(__name__, "", name, NAMES)

"""Activation: loads the libraries, checks that they match and switches the device on, once per process."""

from __future__ import annotations

import threading
from types import ModuleType

from . import _load
from .core import config, log

_lock = threading.RLock()
_extension: ModuleType | None = None


def activate() -> ModuleType:
    """Activates the device and returns the extension module; later calls return the same module.

    Settings are validated before anything is loaded, so an error leaves the process as it was.

    Raises:
        ImportError: E302 libdnnl, E303 torch or E304 the extension is missing or does not match.
        ValueError: E501, an `IPEX_*` variable has an unknown value.
    """
    global _extension
    with _lock:
        if _extension is None:
            fallback_policy = config.read("IPEX_FALLBACK")
            native = config.read("IPEX_NATIVE") == "1"
            eager_fusion = config.read("IPEX_EAGER_FUSION") == "1"
            config.read("IPEX_FP32_MATH_MODE")  # frontend.math_mode applies it
            log.configure()
            extension = _load.load_extension()
            extension.set_fallback_policy(fallback_policy)
            extension.set_native_enabled(native)
            extension.set_eager_fusion(eager_fusion)
            _switch_on(extension)
            _extension = extension
        return _extension


def _switch_on(extension: ModuleType) -> None:
    import torch

    import _torch_ipex_device_autoload as autoload

    from . import torch_patches

    autoload.install()
    extension.initialize()
    seed = getattr(torch, autoload.NAME)._mark_activated()
    if seed is not None:
        extension.default_generator().manual_seed(seed)
    torch_patches.apply()

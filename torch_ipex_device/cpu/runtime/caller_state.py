"""What a thread has switched on that its kernels depend on, taken along to another thread."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from torch_ipex_device import _C
from torch_ipex_device.core.errors import error

_DEVICES = ("cpu", "ipex")


class CallerState:
    """The state of the thread that makes this object: gradients, inference mode, autocast, automatic mixed precision.

    Raises:
        ValueError: E103, the thread runs under an INT8 recipe, whose operators are counted in the order of one thread.
    """

    def __init__(self) -> None:
        if _C.int8_run() is not None:
            wanted = "accepted: AutoMixPrecision inside of the module that the task runs"
            raise error("E103", "Task", f"got a call inside of an INT8 AutoMixPrecision block; {wanted}")
        self._grad = torch.is_grad_enabled()
        self._inference = torch.is_inference_mode_enabled()
        self._cache = torch.is_autocast_cache_enabled()
        self._autocast = {
            device: (torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)) for device in _DEVICES
        }
        self._amp = _C.amp_mode()

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Has this state in the calling thread for the duration of a block."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(torch.inference_mode(self._inference))
            stack.enter_context(torch.set_grad_enabled(self._grad))
            for device, (enabled, dtype) in self._autocast.items():
                stack.enter_context(torch.autocast(device, dtype=dtype, enabled=enabled, cache_enabled=self._cache))
            stack.callback(_C.exchange_amp_thread_mode, _C.exchange_amp_thread_mode(self._amp))
            yield

"""Automatic mixed precision: tensors stay float32 to the program, the device holds and computes them in bfloat16."""

from __future__ import annotations

import os
import threading
from types import TracebackType
from typing import Any

import torch
from torch.utils._contextlib import _DecoratorContextManager

from torch_ipex_device import _C
from torch_ipex_device.core.errors import error

_MODES = ("inference", "training")


def _is_on(where: str, dtype: torch.dtype | None) -> bool:
    """Whether `dtype` switches low precision on. Raises E101, E103 and E502."""
    if dtype is None:
        return False
    if not isinstance(dtype, torch.dtype):
        raise error("E101", where, f"got {type(dtype).__name__}; accepted: torch.bfloat16 or None")
    if dtype == torch.int8:
        raise error("E502", where, "torch.int8 comes with a later version; accepted: torch.bfloat16 or None")
    if dtype != torch.bfloat16:
        raise error("E103", where, f"got {dtype}; accepted: torch.bfloat16 or None")
    return True


class AmpConf:
    """What `AutoMixPrecision` switches on.

    Args:
        mixed_dtype: `torch.bfloat16`, or None for computing as the program says.
        configure_file: recipe of INT8; bfloat16 takes none.

    Attributes:
        dtype: `mixed_dtype`.
        configure_file: None.

    Raises:
        TypeError: E101, `mixed_dtype` is no dtype, `configure_file` no path.
        ValueError: E103, another dtype, or a recipe for bfloat16.
        NotImplementedError: E502, `torch.int8`.

    Example:
        >>> ipex.AmpConf(torch.bfloat16)
        AmpConf(torch.bfloat16)
    """

    def __init__(
        self,
        mixed_dtype: torch.dtype | None = torch.bfloat16,
        configure_file: str | os.PathLike[str] | None = None,
    ) -> None:
        _is_on("AmpConf", mixed_dtype)
        if configure_file is not None:
            if not isinstance(configure_file, (str, os.PathLike)):
                raise error(
                    "E101", "AmpConf", f"got {type(configure_file).__name__} as configure_file; accepted: a path"
                )
            raise error("E103", "AmpConf", f"got a configure_file with {mixed_dtype}; only torch.int8 has recipes")
        self.dtype = mixed_dtype
        self.configure_file = configure_file

    def __repr__(self) -> str:
        return f"AmpConf({self.dtype})"


class AutoMixPrecision(_DecoratorContextManager):
    """Context manager and decorator: operators of this thread compute in the precision of `conf`.

    Tensors on ipex keep dtype float32 and the values that the program gave them. Convolutions, linear layers, matrix
    products and attention read them rounded to bfloat16 and keep results in bfloat16; what follows them does so too
    (`ipex.amp.policy()`), anything else computes in float32. Backward computes as forward did, inside the context or not;
    parameters and their gradients stay float32.

    Contexts nest; the innermost one counts. The same object may be used again, also by several threads and inside itself.

    Args:
        conf: what to switch on.
        running_mode: "inference" or "training". "training" promises a backward; no result depends on it.

    Raises:
        TypeError: E101, `conf` is no AmpConf.
        ValueError: E103, another running mode.

    Example:
        >>> layer, x = torch.nn.Linear(8, 8).to("ipex"), torch.ones(2, 8, device="ipex")
        >>> with ipex.AutoMixPrecision(ipex.AmpConf(torch.bfloat16)):
        ...     y = layer(x)
        >>> y.dtype, ipex.physical_form(y).dtype
        (torch.float32, 'BFloat16')
    """

    def __init__(self, conf: AmpConf, running_mode: str = "inference") -> None:
        if not isinstance(conf, AmpConf):
            raise error("E101", "AutoMixPrecision", f"got {type(conf).__name__}; accepted: ipex.AmpConf")
        if running_mode not in _MODES:
            accepted = ", ".join(_MODES)
            raise error("E103", "AutoMixPrecision", f"got running_mode={running_mode!r}; accepted: {accepted}")
        self.conf = conf
        self.running_mode = running_mode
        self._outer = threading.local()

    def clone(self) -> AutoMixPrecision:
        return type(self)(self.conf, self.running_mode)

    def __enter__(self) -> None:
        state = (self.conf.dtype is not None, self.running_mode == "training")
        before = _C.exchange_amp_thread_mode(state)
        self._outer.__dict__.setdefault("states", []).append(before)

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _C.exchange_amp_thread_mode(self._outer.states.pop())

    def __getstate__(self) -> dict[str, Any]:
        return {"conf": self.conf, "running_mode": self.running_mode}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


def enable_auto_mixed_precision(mixed_dtype: torch.dtype | None = torch.bfloat16, train: bool = False) -> None:
    """Sets what all threads of the process do outside of `AutoMixPrecision`.

    Args:
        mixed_dtype: `torch.bfloat16`; None turns mixed precision off.
        train: whether a backward will come; no result depends on it.

    Raises:
        TypeError: E101, `mixed_dtype` is no dtype, or `train` no bool.
        ValueError: E103, another dtype.
        NotImplementedError: E502, `torch.int8`.

    Example:
        >>> ipex.enable_auto_mixed_precision()
        >>> ipex.get_auto_mix_precision()
        torch.bfloat16
        >>> ipex.enable_auto_mixed_precision(None)
    """
    on = _is_on("enable_auto_mixed_precision", mixed_dtype)
    if not isinstance(train, bool):
        raise error("E101", "enable_auto_mixed_precision", f"got {type(train).__name__} as train; accepted: bool")
    _C.set_amp_process_mode((on, train))


def get_auto_mix_precision() -> torch.dtype | None:
    """Returns the low precision of operators called now by this thread: `torch.bfloat16`, or None."""
    return torch.bfloat16 if _C.amp_mode()[0] else None


def get_train() -> bool:
    """Returns whether a backward was promised (`running_mode="training"`, or `train=True`)."""
    return _C.amp_mode()[1]

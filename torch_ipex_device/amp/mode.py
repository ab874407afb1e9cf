"""Automatic mixed precision: tensors stay float32 to the program, the device holds and computes them in less."""

from __future__ import annotations

import os
import threading
from types import TracebackType
from typing import Any

import torch
from torch.utils._contextlib import _DecoratorContextManager

from torch_ipex_device import _C
from torch_ipex_device.core.errors import error
from torch_ipex_device.int8 import recipe
from torch_ipex_device.int8.calibration import Calibration, require_entries
from torch_ipex_device.int8.modules import Watch
from torch_ipex_device.int8.scales import ALGORITHMS

_MODES: dict[torch.dtype | None, tuple[str, ...]] = {torch.int8: ("calibration", "inference")}
_OTHER_MODES = ("inference", "training")
_ACCEPTED = "torch.bfloat16, torch.int8 or None"


def _check_dtype(where: str, dtype: torch.dtype | None, accepted: str) -> None:
    """Raises E101 and E103."""
    if dtype is not None and not isinstance(dtype, torch.dtype):
        raise error("E101", where, f"got {type(dtype).__name__}; accepted: {accepted}")
    if str(dtype) not in accepted:
        raise error("E103", where, f"got {dtype}; accepted: {accepted}")


class AmpConf:
    """What `AutoMixPrecision` switches on.

    With `torch.int8` it also holds the recipe: one entry for each operator that can compute in int8, in the order of the
    program (docs/int8.md). Threads may share it.

    Args:
        mixed_dtype: `torch.bfloat16`, `torch.int8`, or None for computing as the program says.
        configure_file: recipe that `save` or the archived extension wrote; bfloat16 takes none.
        algorithm: how calibration finds the scales of entries that are new: "min_max", "moving_average_min_max",
            "percentile" or "kl". INT8 only.

    Attributes:
        dtype: `mixed_dtype`.
        configure_file: as given.

    Raises:
        TypeError: E101, `mixed_dtype` is no dtype, `configure_file` no path.
        ValueError: E103, another dtype or algorithm, or a recipe for bfloat16. E401, the file is no recipe.
        OSError: the file cannot be read.

    Example:
        >>> ipex.AmpConf(torch.bfloat16)
        AmpConf(torch.bfloat16)
    """

    def __init__(
        self,
        mixed_dtype: torch.dtype | None = torch.bfloat16,
        configure_file: str | os.PathLike[str] | None = None,
        *,
        algorithm: str = "min_max",
    ) -> None:
        _check_dtype("AmpConf", mixed_dtype, _ACCEPTED)
        if configure_file is not None and not isinstance(configure_file, (str, os.PathLike)):
            raise error("E101", "AmpConf", f"got {type(configure_file).__name__} as configure_file; accepted: a path")
        if configure_file is not None and mixed_dtype != torch.int8:
            raise error("E103", "AmpConf", f"got a configure_file with {mixed_dtype}; only torch.int8 has recipes")
        if algorithm not in ALGORITHMS:
            raise error("E103", "AmpConf", f"got algorithm={algorithm!r}; accepted: {', '.join(ALGORITHMS)}")
        self.dtype = mixed_dtype
        self.configure_file = configure_file
        self._calibration = Calibration(configure_file or None, algorithm) if mixed_dtype == torch.int8 else None

    @property
    def calibration(self) -> Calibration:
        """The recipe.

        Raises:
            ValueError: E103, a conf of another dtype.
        """
        if self._calibration is None:
            raise error("E103", "AmpConf", f"got a conf of {self.dtype}; only torch.int8 has a recipe")
        return self._calibration

    def save(self, configure_file: str | os.PathLike[str]) -> None:
        """Writes the recipe, all of it or nothing; as often as you like.

        Args:
            configure_file: the file; docs/int8_recipe.md specifies it.

        Raises:
            TypeError: E101, no path.
            ValueError: E103, a conf of another dtype. E403, nothing was calibrated yet.
            OSError: the file cannot be written.
        """
        if not isinstance(configure_file, (str, os.PathLike)):
            raise error("E101", "AmpConf.save", f"got {type(configure_file).__name__}; accepted: a path")
        entries = self.calibration.entries()
        if not entries:
            raise error("E403", "AmpConf.save", "got a conf without entries; calibrate first, or load a recipe")
        recipe.save(configure_file, entries)

    def __repr__(self) -> str:
        return f"AmpConf({self.dtype})"


class AutoMixPrecision(_DecoratorContextManager):
    """Context manager and decorator: operators of this thread compute in the precision of `conf`.

    Tensors on ipex keep dtype float32 and the values that the program gave them. Convolutions, linear layers, matrix
    products and attention read them rounded to bfloat16 and keep results in bfloat16; what follows them does so too
    (`ipex.amp.policy()`), anything else computes in float32. Backward computes as forward did, inside the context or not;
    parameters and their gradients stay float32.

    With int8, "calibration" observes the operators of the recipe and changes no result; in "inference" those that the recipe
    says compute in int8. What is no operator of the recipe computes in float32. Operators are matched with entries by their
    order, so a block may hold several calls of the same model, but no other branches than calibration saw.

    Contexts nest; the innermost one counts. The same object may be used again, also by several threads and inside itself.

    Args:
        conf: what to switch on.
        running_mode: "inference" or "training", and "calibration" or "inference" with int8. "training" promises a backward;
            no result depends on it.

    Raises:
        TypeError: E101, `conf` is no AmpConf.
        ValueError: E103, another running mode. When it is entered: E403, inference with an int8 conf that is empty.
        RuntimeError: E402, from an operator that does not match the recipe.

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
        modes = _MODES.get(conf.dtype, _OTHER_MODES)
        if running_mode not in modes:
            accepted = f"{', '.join(modes)} with {conf.dtype}"
            raise error("E103", "AutoMixPrecision", f"got running_mode={running_mode!r}; accepted: {accepted}")
        self.conf = conf
        self.running_mode = running_mode
        self._outer = threading.local()

    def clone(self) -> AutoMixPrecision:
        return type(self)(self.conf, self.running_mode)

    def __enter__(self) -> None:
        run, watch = self._start_int8() if self.conf.dtype == torch.int8 else (None, None)
        before_run = _C.exchange_int8_run(run)
        before = _C.exchange_amp_thread_mode((self.conf.dtype == torch.bfloat16, self.running_mode == "training"))
        self._outer.__dict__.setdefault("states", []).append((before, before_run, watch))

    def _start_int8(self) -> tuple[_C.Int8Run, Watch]:
        calibration = self.conf.calibration
        if self.running_mode == "inference":
            require_entries(calibration)
        run = _C.Int8Run(calibration.native, self.running_mode == "calibration")
        watch = Watch(run, calibration)
        watch.start()
        return run, watch

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        before, before_run, watch = self._outer.states.pop()
        _C.exchange_amp_thread_mode(before)
        run = _C.exchange_int8_run(before_run)
        try:
            if run is not None:
                run.finish()  # computes what is still to be seen
        except Exception:
            if exception is None:  # otherwise the block has failed already, and that error counts
                raise
        finally:
            if watch is not None:
                watch.stop()

    def __getstate__(self) -> dict[str, Any]:
        return {"conf": self.conf, "running_mode": self.running_mode}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


def enable_auto_mixed_precision(mixed_dtype: torch.dtype | None = torch.bfloat16, train: bool = False) -> None:
    """Sets what all threads of the process do outside of `AutoMixPrecision`.

    Args:
        mixed_dtype: `torch.bfloat16`; None turns mixed precision off. INT8 needs a recipe: `AutoMixPrecision`.
        train: whether a backward will come; no result depends on it.

    Raises:
        TypeError: E101, `mixed_dtype` is no dtype, or `train` no bool.
        ValueError: E103, another dtype.

    Example:
        >>> ipex.enable_auto_mixed_precision()
        >>> ipex.get_auto_mix_precision()
        torch.bfloat16
        >>> ipex.enable_auto_mixed_precision(None)
    """
    _check_dtype("enable_auto_mixed_precision", mixed_dtype, "torch.bfloat16 or None")
    if not isinstance(train, bool):
        raise error("E101", "enable_auto_mixed_precision", f"got {type(train).__name__} as train; accepted: bool")
    _C.set_amp_process_mode((mixed_dtype is not None, train))


def get_auto_mix_precision() -> torch.dtype | None:
    """Returns the low precision of operators called now by this thread: `torch.bfloat16`, `torch.int8`, or None."""
    if _C.int8_run() is not None:
        return torch.int8
    return torch.bfloat16 if _C.amp_mode()[0] else None


def get_train() -> bool:
    """Returns whether a backward was promised (`running_mode="training"`, or `train=True`)."""
    return _C.amp_mode()[1]

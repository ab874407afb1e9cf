"""`ipex.verbose`: oneDNN's log of what it runs, for a block of code or a function."""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from collections.abc import Callable
from types import TracebackType

import torch
from torch.utils._contextlib import _DecoratorContextManager

from torch_ipex_device import _C, _load
from torch_ipex_device.core.errors import error

VERBOSE_OFF = 0
VERBOSE_ON = 1
VERBOSE_ON_CREATION = 2

_LEVELS = (VERBOSE_OFF, VERBOSE_ON, VERBOSE_ON_CREATION)
_ACCEPTED = "VERBOSE_OFF (0), VERBOSE_ON (1), VERBOSE_ON_CREATION (2)"

# The log is a property of the process, so the blocks that are open count together, whatever their threads.
_lock = threading.Lock()
_open_blocks: list[tuple[object, int]] = []


class verbose(_DecoratorContextManager):  # a function to its callers, as its name says
    """Context manager and decorator: oneDNN prints a line for every primitive that runs meanwhile, on ipex and on CPU.

    Both copies of oneDNN log, that of this package and the one inside PyTorch, and so do the loops of our own that stand in
    for primitives. Lines begin with `onednn_verbose` and go to the standard output of the process, from whatever thread.
    Operators that the block left open for fusion are computed at its end and belong to it. Blocks nest; the innermost one
    counts. Afterwards the level is that of the block around it, or what the environment variable `ONEDNN_VERBOSE` says.

    Args:
        level: `verbose.VERBOSE_ON` for executions, `verbose.VERBOSE_ON_CREATION` also for the creation of primitives,
            `verbose.VERBOSE_OFF` for silence. The same constants are `ipex.VERBOSE_ON` and so on.

    Raises:
        TypeError: E101, the level is no integer.
        ValueError: E103, another level.
        RuntimeError: E301, this oneDNN was built without its log.

    Source: oneDNN developer guide, "Verbose Mode"; the archived extension's function of this name.

    Example:
        >>> layer, x = torch.nn.Linear(8, 8).to("ipex"), torch.ones(2, 8, device="ipex")
        >>> with ipex.verbose(ipex.verbose.VERBOSE_OFF):
        ...     y = layer(x)
    """

    VERBOSE_OFF = VERBOSE_OFF
    VERBOSE_ON = VERBOSE_ON
    VERBOSE_ON_CREATION = VERBOSE_ON_CREATION

    def __init__(self, level: int) -> None:
        if isinstance(level, bool) or not isinstance(level, int):
            raise error("E101", "verbose", f"got {type(level).__name__} as level; accepted: {_ACCEPTED}")
        if level not in _LEVELS:
            raise error("E103", "verbose", f"got level={level}; accepted: {_ACCEPTED}")
        self.level = level

    def clone(self) -> verbose:
        return type(self)(self.level)

    def __enter__(self) -> None:
        _compute_open_operators()
        with _lock:
            _set_level(self.level)
            _open_blocks.append((self, self.level))

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            _compute_open_operators()
        finally:
            with _lock:
                mine = max(index for index, (block, _) in enumerate(_open_blocks) if block is self)
                del _open_blocks[mine]
                _set_level(_open_blocks[-1][1] if _open_blocks else _level_of_environment())


def _compute_open_operators() -> None:
    torch.ipex.synchronize()  # type: ignore[attr-defined] # installed at run time


def _set_level(level: int) -> None:
    if _set_onednn_level()(level) != 0:
        raise error("E301", "verbose", "this build of oneDNN has no log; install onednn-cpu-gomp==2023.2.0")
    torch._C._verbose.mkldnn_set_verbose(level)
    _C.set_log_executions(level != VERBOSE_OFF)


@functools.cache
def _set_onednn_level() -> Callable[[int], int]:
    """`dnnl_set_verbose` of the library that activation loaded; opening it again gives the same copy."""
    library = ctypes.CDLL(os.fspath(_load._find_dnnl()), mode=ctypes.RTLD_LOCAL)
    return library.dnnl_set_verbose


@functools.cache
def _level_of_environment() -> int:
    """The level that the process started with; oneDNN cannot be asked for it.

    A list of words, which newer oneDNNs accept, is taken for the nearest level.
    """
    value = os.environ.get("ONEDNN_VERBOSE") or os.environ.get("DNNL_VERBOSE") or ""
    words = {word.strip() for word in value.split(",")}
    if words & {"2", "all", "profile", "profile_create"}:
        return VERBOSE_ON_CREATION
    return VERBOSE_ON if words & {"1", "profile_exec"} else VERBOSE_OFF

"""Where the threads of an OpenMP team run.

A thread that calls parallel kernels has a team of workers of its own, which live on between the calls. A worker inherits the
affinity of its caller when it starts and never looks again, so moving a team means moving every member from inside.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

Mask = set[int]


def move_team(cores: Mask, threads: int) -> None:
    """Puts the calling thread and its team on some cores, and sets the number of threads of its kernels.

    Args:
        cores: hardware threads; every member may run on all of them.
        threads: members, the caller included.
    """
    os.sched_setaffinity(0, cores)
    _set_num_threads(threads)
    _run_in_team(threads, lambda: os.sched_setaffinity(0, cores))


def masks_of_team() -> dict[int, Mask]:
    """Returns where the calling thread and its team may run, by the system's numbers of threads."""
    found: dict[int, Mask] = {}
    _run_in_team(torch.get_num_threads(), lambda: found.update({threading.get_native_id(): os.sched_getaffinity(0)}))
    return found


def restore_team(masks: Mapping[int, Mask], threads: int) -> None:
    """Puts a team back; members that have been replaced meanwhile inherit the affinity of the caller.

    Args:
        masks: what `masks_of_team` returned.
        threads: members, the caller included.
    """
    os.sched_setaffinity(0, masks[threading.get_native_id()])
    _set_num_threads(threads)

    def restore() -> None:
        mask = masks.get(threading.get_native_id())
        if mask is not None:
            os.sched_setaffinity(0, mask)

    _run_in_team(threads, restore)


def _set_num_threads(threads: int) -> None:
    torch.get_num_threads()  # the first question of a thread sets the number that other threads have
    torch.set_num_threads(threads)


_TASK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def _run_in_team(threads: int, task: Callable[[], None]) -> None:
    """Calls a function in every member. Errors are raised here, the first one."""
    errors: list[BaseException] = []

    def guarded(_: int | None) -> None:
        try:
            task()
        except OSError as problem:
            errors.append(problem)

    start = _start_of_teams()
    if start is None:
        guarded(None)
    else:
        start(_TASK(guarded), None, threads, 0)
    if errors:
        raise errors[0]


@functools.cache
def _start_of_teams() -> Callable[..., None] | None:
    """The entry point that compiled parallel regions call, in the OpenMP library that PyTorch uses.

    That is one that was loaded before everything (LD_PRELOAD), or else the one that PyTorch is linked with.
    """
    for library in (None, os.fspath(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so")):
        start = getattr(ctypes.CDLL(library), "GOMP_parallel", None)
        if start is not None:
            start.argtypes = [_TASK, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
            start.restype = None
            return start
    return None

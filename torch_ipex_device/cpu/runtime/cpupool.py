"""`CPUPool`, a set of cores, and `pin`, which keeps a block of code on them."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from types import TracebackType

import torch
from torch.utils._contextlib import _DecoratorContextManager

from torch_ipex_device.core.errors import error
from torch_ipex_device.core.log import logger

from . import affinity, topology

_pins_of_main_thread: list[frozenset[int]] = []


def is_runtime_ext_enabled() -> bool:
    """Returns whether threads can be kept on cores: always on Linux; no other OpenMP library has to be loaded first."""
    return hasattr(os, "sched_setaffinity")


class CPUPool:
    """Cores that a part of a program runs on.

    Args:
        core_ids: numbers of hardware threads. Those that the process may not use are left out, with a line in the log.
        node_id: number of a NUMA node, all of whose physical cores are meant. `core_ids` comes first.
            With neither: all hardware threads that the process may use.

    Attributes:
        core_ids: what is left, in the order given.

    Raises:
        TypeError: E101, `core_ids` is no list or range of integers.
        ValueError: E103, no core is left, or there is no such node.

    Source: the archived extension's class of this name.

    Example:
        >>> len(ipex.cpu.runtime.CPUPool().core_ids) > 0
        True
    """

    def __init__(self, core_ids: Sequence[int] | None = None, node_id: int | None = None) -> None:
        if core_ids is not None and node_id is not None:
            logger.warning("CPUPool: got core_ids and node_id; core_ids are used")
        usable = _pins_of_main_thread[0] if _pins_of_main_thread else topology.process_cores()
        if core_ids is not None:
            wanted = _checked(core_ids)
        elif node_id is not None:
            wanted = topology.get_core_list_of_node_id(node_id)
        else:
            wanted = sorted(usable)
        self.core_ids = [core for core in dict.fromkeys(wanted) if core in usable]
        if not self.core_ids:
            accepted = f"accepted: some of {sorted(usable)}"
            raise error("E103", "CPUPool", f"got cores {wanted}, none of which the process may use; {accepted}")
        if len(self.core_ids) < len(set(wanted)):
            logger.warning("CPUPool: got cores %s; the process may use %s of them", wanted, self.core_ids)

    @property
    def cpu_pool(self) -> CPUPool:
        """The pool itself; programs write `pool.cpu_pool.get_core_list()`."""
        return self

    def get_core_list(self) -> list[int]:
        """Returns the cores."""
        return list(self.core_ids)

    def __repr__(self) -> str:
        return f"CPUPool({self.core_ids})"


class pin(_DecoratorContextManager):
    """Context manager and decorator: the calling thread and the threads of its kernels run on the cores of a pool.

    Kernels use one thread for every core. Afterwards threads are where they were and as many as before. Blocks nest, and
    every thread of the program can have one.

    Args:
        cpu_pool: the cores.

    Raises:
        TypeError: E101, no `CPUPool`.

    Source: the archived extension's context manager of this name.

    Example:
        >>> with ipex.cpu.runtime.pin(ipex.cpu.runtime.CPUPool()):
        ...     y = torch.ones(8) + 1
    """

    def __init__(self, cpu_pool: CPUPool) -> None:
        require_pool("pin", cpu_pool)
        self.cpu_pool = cpu_pool
        self._outer = threading.local()

    def clone(self) -> pin:
        return type(self)(self.cpu_pool)

    def __enter__(self) -> None:
        before = affinity.masks_of_team(), torch.get_num_threads()
        is_main = threading.get_native_id() == os.getpid()
        if is_main:
            _pins_of_main_thread.append(topology.process_cores())
        self._outer.__dict__.setdefault("states", []).append((before, is_main))
        try:
            affinity.move_team(set(self.cpu_pool.core_ids), len(self.cpu_pool.core_ids))
        except OSError:  # a core went away meanwhile
            self.__exit__(None, None, None)
            raise

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        (masks, threads), is_main = self._outer.states.pop()
        if is_main:
            _pins_of_main_thread.pop()
        affinity.restore_team(masks, threads)


def require_pool(where: str, pool: object) -> None:
    """Raises E101 unless `pool` is a CPUPool."""
    if not isinstance(pool, CPUPool):
        raise error("E101", where, f"got {type(pool).__name__} as cpu_pool; accepted: CPUPool")


def _checked(core_ids: Sequence[int]) -> list[int]:
    if not isinstance(core_ids, (list, tuple, range)) or not all(isinstance(core, int) for core in core_ids):
        raise error("E101", "CPUPool", f"got core_ids={core_ids!r}; accepted: a list or range of integers")
    return list(core_ids)

"""`Task`: a module that runs in a thread of its own, on cores of its own."""

from __future__ import annotations

import concurrent.futures
import os
import threading
from collections.abc import Callable
from typing import Any

import torch

from torch_ipex_device.core.errors import error

from . import affinity
from .caller_state import CallerState
from .cpupool import CPUPool, require_pool


class FutureTensor:
    """A result that is being computed."""

    def __init__(self, future: concurrent.futures.Future[Any]) -> None:
        self._future = future

    def get(self) -> Any:
        """Waits for the result and returns it, or raises what the module raised."""
        return self._future.result()

    def done(self) -> bool:
        """Returns whether the result is there."""
        return self._future.done()


class Task:
    """Runs a module in a thread of its own whose kernels use the cores of a pool.

    Calls return at once and are computed one after the other. They see what the caller has switched on: gradients, inference
    mode, autocast, automatic mixed precision. Kernels of several tasks run at the same time; the Python code of modules that
    are no `torch.jit.ScriptModule` takes turns.

    Args:
        module: the module, or any function.
        cpu_pool: its cores.

    Raises:
        TypeError: E101, `module` cannot be called, or `cpu_pool` is no `CPUPool`.

    Source: the archived extension's class of this name.

    Example:
        >>> task = ipex.cpu.runtime.Task(torch.nn.Linear(4, 2), ipex.cpu.runtime.CPUPool())
        >>> result = task(torch.ones(3, 4))
        >>> result.get().shape
        torch.Size([3, 2])
    """

    def __init__(self, module: Callable[..., Any], cpu_pool: CPUPool) -> None:
        if not callable(module):
            raise error("E101", "Task", f"got {type(module).__name__} as module; accepted: torch.nn.Module")
        require_pool("Task", cpu_pool)
        self.module = module
        self.cpu_pool = cpu_pool
        self._start()

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._thread: concurrent.futures.ThreadPoolExecutor | None = None
        self._process = 0

    def __call__(self, *args: Any, **kwargs: Any) -> FutureTensor:
        """Starts a call of the module.

        Args:
            args: of the module.
            kwargs: of the module.

        Raises:
            ValueError: E103, called inside of an INT8 `AutoMixPrecision` block.
        """
        state = CallerState()
        return FutureTensor(self._own_thread().submit(_call, state, self.module, args, kwargs))

    def run_sync(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the module in the thread of the task, and waits.

        Args:
            args: of the module.
            kwargs: of the module.
        """
        return self(*args, **kwargs).get()

    def _own_thread(self) -> concurrent.futures.ThreadPoolExecutor:
        with self._lock:
            if self._thread is None or self._process != os.getpid():  # threads do not survive a fork
                thread = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="ipex-task")
                cores = self.cpu_pool.core_ids
                thread.submit(affinity.move_team, set(cores), len(cores)).result()
                torch.set_num_threads(torch.get_num_threads())  # threads to come are to have ours, not the task's
                self._thread, self._process = thread, os.getpid()
            return self._thread

    def __getstate__(self) -> dict[str, Any]:
        return {"module": self.module, "cpu_pool": self.cpu_pool}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()


def _call(state: CallerState, module: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    with state.applied():
        return module(*args, **kwargs)

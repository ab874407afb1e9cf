"""Tells the operators of a run which module calls them, and when a program begins.

PyTorch's global forward hooks slow every module call down, so they exist only while somebody needs them: in calibration,
and in inference until each entry of the recipe has met its weights, which identify it afterwards.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

import torch
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from torch_ipex_device import _C

from .calibration import Calibration


class Watch:
    """Follows the module calls of one thread under one recipe.

    Args:
        run: what the thread does.
        calibration: the recipe.
    """

    def __init__(self, run: _C.Int8Run, calibration: Calibration) -> None:
        self._run = run
        self._calibration = calibration
        self._calls: list[torch.nn.Module] = []
        self._names: dict[torch.nn.Module, str] = {}
        self._is_on = False
        self._is_new = False  # whether the outermost module was never called before

    def start(self) -> None:
        """Begins to follow the calls of this thread, if anybody needs it."""
        if self._run.calibrates or not self._calibration.native.is_bound:
            self._is_on = True
            _stack().append(self)
            _hooks.add(1)

    def stop(self) -> None:
        """Ends it; may be called again."""
        if self._is_on:
            self._is_on = False
            _stack().remove(self)
            _hooks.add(-1)

    def enter(self, module: torch.nn.Module) -> None:
        """`module` is called."""
        if not self._calls:
            self._names = {each: name for name, each in module.named_modules()}
            beginnings = self._calibration.beginnings
            self._is_new = module not in beginnings
            if module not in beginnings:
                at_end = self._run.position >= len(self._calibration.native) and not self._run.calibrates
                beginnings[module] = 0 if at_end else self._run.position
            self._run.begin(beginnings[module])
        self._calls.append(module)
        self._tell()

    def leave(self, failed: bool) -> None:
        """The module that was called last has returned, or raised."""
        if self._calls:
            module = self._calls.pop()
            if not self._calls and failed and self._is_new and not self._run.calibrates:
                self._calibration.beginnings.pop(module, None)  # perhaps it does not begin there
        self._tell()
        if not self._calls and not self._run.calibrates and self._calibration.native.is_bound:
            self.stop()

    def _tell(self) -> None:
        if not self._calls:
            self._run.set_module(False, None)
            return
        module = self._calls[-1]
        is_script = isinstance(module, torch.jit.ScriptModule)  # the modules inside of it make no calls
        self._run.set_module(True, None if is_script else self._names.get(module))


class _Hooks:
    """PyTorch's global hooks, while they have users."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._handles: list[Any] = []

    def add(self, change: int) -> None:
        with self._lock:
            self._users += change
            if self._users and not self._handles:
                before = register_module_forward_pre_hook(_before)
                self._handles = [before, register_module_forward_hook(_after, always_call=True)]
            elif not self._users:
                for handle in self._handles:
                    handle.remove()
                self._handles = []


_hooks = _Hooks()
_local = threading.local()


def _stack() -> list[Watch]:
    found: list[Watch] = _local.__dict__.setdefault("watches", [])
    return found


def _before(module: torch.nn.Module, args: Any) -> None:
    watches = _stack()
    if watches:
        watches[-1].enter(module)


def _after(module: torch.nn.Module, args: Any, result: Any) -> None:
    watches = _stack()
    if watches:
        watches[-1].leave(failed=result is None)


def locate() -> str | None:
    """Returns the path of the module whose operator runs in this thread, from the frames of its calls; None: unknown.

    Without hooks: for an operator with weights that nobody knows.
    """
    calls = []
    frame = sys._getframe()
    while (back := frame.f_back) is not None:
        frame = back
        if frame.f_code is torch.nn.Module._call_impl.__code__:
            calls.append(frame.f_locals["self"])
    if not calls or isinstance(calls[0], torch.jit.ScriptModule):
        return None
    return {each: name for name, each in calls[-1].named_modules()}.get(calls[0])


_C.set_int8_locator(locate)

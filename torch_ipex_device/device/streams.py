"""Streams and events. There is one stream, whose order is the order of the program, so nothing ever waits.

`Stream` and `Event` construct `torch.Stream` and `torch.Event` objects rather than subclasses of them: PyTorch's C++
accepts no subclass where it takes an event. `isinstance(x, torch.ipex.Stream)` works nevertheless.
"""

from __future__ import annotations

from typing import Any

import torch

from torch_ipex_device.core.errors import error

from ._utils import INDEX, TYPE, Device, _get_device_index


class _OnDevice(type):
    """Metaclass: instances are the objects of the class named `wraps` that belong to the ipex device."""

    wraps: type[torch.Stream] | type[torch.Event]

    def __instancecheck__(cls, instance: Any) -> bool:
        if not isinstance(instance, cls.wraps):
            return False
        device = instance.device
        return device is not None and device.type == TYPE


class Stream(metaclass=_OnDevice):
    """Returns the stream of the device, a `torch.Stream`; every call returns an equal one.

    Args:
        device: the device; the current one by default.
        priority: accepted as in `torch.cuda.Stream`; there is nothing to have priority over.

    Raises:
        RuntimeError: E202, invalid index.
        ValueError: E103, not an ipex device.
    """

    wraps = torch.Stream

    def __new__(cls, device: Device = None, priority: int = 0) -> torch.Stream:  # type: ignore[misc]
        index = _get_device_index(device, optional=True)
        return torch.Stream(torch.device(TYPE, max(index, INDEX)), priority=priority)


class Event(metaclass=_OnDevice):
    """Returns a `torch.Event` of the device: a time stamp.

    Args:
        enable_timing: whether `elapsed_time`, in milliseconds, can be asked.
        blocking: accepted as in `torch.cuda.Event`; nothing ever waits.
        interprocess: must be False; an event has no meaning in another process.

    Raises:
        ValueError: E103, `interprocess` is set.

    Example:
        >>> start, end = torch.ipex.Event(enable_timing=True), torch.ipex.Event(enable_timing=True)
        >>> start.record(); _ = torch.ones(9, device="ipex").sum(); end.record()
        >>> start.elapsed_time(end) > 0
        True
    """

    wraps = torch.Event

    def __new__(  # type: ignore[misc]
        cls, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False
    ) -> torch.Event:
        if interprocess:
            raise error("E103", "Event", "got interprocess=True; events of ipex are local to a process")
        return torch.Event(TYPE, enable_timing=enable_timing, blocking=blocking)


def current_stream(device: Device = None) -> torch.Stream:
    """Returns the stream of the device.

    Args:
        device: the device; the current one by default.

    Raises:
        RuntimeError: E202, invalid index.
        ValueError: E103, not an ipex device.
    """
    return torch.accelerator.current_stream(max(_get_device_index(device, optional=True), INDEX))


def default_stream(device: Device = None) -> torch.Stream:
    """Returns the stream of the device, like `current_stream`."""
    return current_stream(device)


def set_stream(stream: torch.Stream | None) -> None:
    """Makes a stream the current one, which it already is; None changes nothing.

    Raises:
        ValueError: E103, the stream belongs to another device.
        TypeError: E101, not a stream.
    """
    if stream is None:
        return
    if not isinstance(stream, torch.Stream):
        raise error("E101", "stream", f"got {type(stream).__name__}; expected a torch.ipex.Stream or None")
    if not isinstance(stream, Stream):
        raise error("E103", "stream", f"got a stream of {stream.device}; expected one of {TYPE}")


class StreamContext:
    """Context manager that selects a stream; None selects nothing.

    Raises:
        ValueError: E103, the stream belongs to another device.
        TypeError: E101, not a stream.
    """

    def __init__(self, stream: torch.Stream | None) -> None:
        set_stream(stream)
        self.stream = stream

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        pass


def stream(stream: torch.Stream | None) -> StreamContext:
    """Returns a context manager that selects a stream; see `StreamContext`."""
    return StreamContext(stream)

"""Statistics of the device's memory, which is host memory. Sizes are in bytes throughout."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from ._utils import Device, _get_device_index

OutOfMemoryError = torch.OutOfMemoryError
"""What an allocation that fails raises (E201)."""


def memory_stats(device: Device = None) -> dict[str, int]:
    """Returns the allocator's statistics, flat.

    Memory that CPU kernels allocated for the results of ipex operators counts as well; memory that another owner lends
    (`from_cpu`, DLPack, shared memory, a mapped file) does not.

    Args:
        device: the device; the current one by default.

    Returns:
        Keys such as `allocated_bytes.all.peak`: the statistic (`allocated_bytes`, `reserved_bytes`, `active_bytes` in
        bytes, `allocation`, `active` in blocks), the pool (`all` is the only one in use), and
        `current`, `peak`, `allocated` or `freed` (the last two accumulated). Also `num_ooms`. Keys are those of
        `torch.cuda`; what has no meaning here is 0.

    Raises:
        RuntimeError: E202, invalid index.
        ValueError: E103, not an ipex device.
    """
    return torch.accelerator.memory_stats(_index(device))


def memory_stats_as_nested_dict(device: Device = None) -> dict[str, Any]:
    """Returns the statistics of `memory_stats` as dictionaries in dictionaries."""
    return torch._C._accelerator_getDeviceStats(_index(device))


def memory_allocated(device: Device = None) -> int:
    """Returns the bytes that live tensors of this process occupy on the device.

    Args:
        device: the device; the current one by default.

    Raises:
        RuntimeError: E202, invalid index.
        ValueError: E103, not an ipex device.
    """
    return memory_stats(device)["allocated_bytes.all.current"]


def max_memory_allocated(device: Device = None) -> int:
    """Returns the highest value that `memory_allocated` had since the start or the last `reset_peak_memory_stats`."""
    return memory_stats(device)["allocated_bytes.all.peak"]


def memory_reserved(device: Device = None) -> int:
    """Returns the bytes that the allocator holds: those of live tensors, and what it keeps for later ones."""
    return memory_stats(device)["reserved_bytes.all.current"]


def max_memory_reserved(device: Device = None) -> int:
    """Returns the highest value that `memory_reserved` had since the start or the last `reset_peak_memory_stats`."""
    return memory_stats(device)["reserved_bytes.all.peak"]


def reset_peak_memory_stats(device: Device = None) -> None:
    """Sets every `peak` of `memory_stats` to the current value."""
    torch.accelerator.reset_peak_memory_stats(_index(device))


def reset_accumulated_memory_stats(device: Device = None) -> None:
    """Sets every `allocated` and `freed` of `memory_stats`, and the event counters, to zero."""
    torch.accelerator.reset_accumulated_memory_stats(_index(device))


def mem_get_info(device: Device = None) -> tuple[int, int]:
    """Returns the free and the total memory of the machine, in bytes.

    Args:
        device: the device; the current one by default.

    Returns:
        What the system could give to new tensors, and all that there is.

    Raises:
        RuntimeError: E202, invalid index.
        ValueError: E103, not an ipex device.
    """
    free, total = torch.accelerator.get_memory_info(_index(device))
    return free, total


def empty_cache() -> None:
    """Gives memory that is kept for later tensors back to the system. Live tensors are untouched."""
    torch.accelerator.empty_cache()


class _Row(NamedTuple):
    label: str
    statistic: str
    in_bytes: bool


_ROWS = (
    _Row("Allocated memory", "allocated_bytes", True),
    _Row("Reserved memory", "reserved_bytes", True),
    _Row("Allocations", "allocation", False),
)
_COLUMNS = ("current", "peak", "allocated", "freed")
_HEADINGS = ("Current", "Peak", "Total allocated", "Total freed")


def memory_summary(device: Device = None, abbreviated: bool = False) -> str:
    """Returns the statistics as a table for people.

    Args:
        device: the device; the current one by default.
        abbreviated: only the row of allocated memory.

    Raises:
        RuntimeError: E202, invalid index.
        ValueError: E103, not an ipex device.
    """
    stats = memory_stats(device)
    free, total = mem_get_info(device)
    lines = [
        f"ipex memory: {_readable(free)} of {_readable(total)} free, {stats['num_ooms']} allocations failed",
        f"{'':18}" + "".join(f"{heading:>18}" for heading in _HEADINGS),
    ]
    for row in _ROWS[: 1 if abbreviated else None]:
        values = (stats[f"{row.statistic}.all.{column}"] for column in _COLUMNS)
        lines.append(f"{row.label:18}" + "".join(f"{_readable(v) if row.in_bytes else v:>18}" for v in values))
    return "\n".join(lines)


def _readable(size: int) -> str:
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 10240:
            return f"{value:.0f} {unit}"
        value /= 1024
    return f"{value:.0f} TiB"


def _index(device: Device) -> int:
    return max(_get_device_index(device, optional=True), 0)

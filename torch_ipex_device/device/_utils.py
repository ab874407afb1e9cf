"""Device arguments: the one place that turns what a user wrote into a device index (PyTorch's loader calls it, too)."""

from __future__ import annotations

from typing import TypeAlias

import torch

from torch_ipex_device.core.errors import error

Device: TypeAlias = "torch.device | str | int | None"
"""What every function of `torch.ipex` accepts as a device; None stands for the current device."""

TYPE = "ipex"
INDEX = 0
"""Index of the only ipex device."""

_EXPECTED = f"expected {TYPE}, {TYPE}:{INDEX}, a torch.device or an index"


def _get_device_index(device: Device, optional: bool = False, allow_cpu: bool = False) -> int:
    """Returns the index that a device argument stands for.

    Args:
        device: `"ipex"`, `"ipex:0"`, a `torch.device`, an index, or None for the current device. A negative index means
            "no device", as in `torch.cuda`.
        optional: accept None.
        allow_cpu: accept the CPU, which has index -1.

    Returns:
        0, or a negative number for no device.

    Raises:
        RuntimeError: E202, the index is above 0: there is one device.
        ValueError: E103, a device of another type, or None where a device is needed.
        TypeError: E101, an argument that is no device.
    """
    if device is None:
        if optional:
            return INDEX
        raise error("E103", "device", f"got None; {_EXPECTED}")
    if isinstance(device, bool) or not isinstance(device, (int, str, torch.device)):
        raise error("E101", "device", f"got {type(device).__name__}; {_EXPECTED}")
    if isinstance(device, int):
        return check_index(device)
    device = torch.device(device)
    if device.type == "cpu" and allow_cpu:
        return -1
    if device.type != TYPE:
        raise error("E103", "device", f"got {device}; expected a device of type {TYPE}")
    return INDEX if device.index is None else check_index(device.index)


def check_index(index: int) -> int:
    """Returns the index when a device has it or it is negative.

    Raises:
        RuntimeError: E202, there is no device with this index.
    """
    if index > INDEX:
        raise error("E202", "device", f"got index {index}; there is one device, {TYPE}:{INDEX}")
    return index

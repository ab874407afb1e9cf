"""The current device, its context managers, and waiting for it. There is one device, so most answers are constant."""

from __future__ import annotations

import torch

from ._utils import INDEX, Device, _get_device_index


def current_device() -> int:
    """Returns the index of the current device: 0."""
    return INDEX


def set_device(device: Device) -> None:
    """Checks the device and makes it the current one, which it already is.

    Args:
        device: the device; a negative index changes nothing, as in `torch.cuda`.

    Raises:
        RuntimeError: E202, invalid index.
        ValueError: E103, not an ipex device.
    """
    _get_device_index(device)


class device:
    """Context manager that selects a device.

    Args:
        device: the device to select; None or a negative index select nothing.

    Raises:
        RuntimeError: E202, invalid index.
        ValueError: E103, not an ipex device.

    Example:
        >>> with torch.ipex.device(0):
        ...     x = torch.ones(2, device="ipex")
    """

    def __init__(self, device: Device) -> None:
        self.idx = _get_device_index(device, optional=True)
        self.prev_idx = -1

    def __enter__(self) -> None:
        self.prev_idx = INDEX

    def __exit__(self, *exception: object) -> None:
        pass


class device_of(device):
    """Context manager that selects the device of a tensor or storage; does nothing for one that is not on ipex.

    Args:
        obj: a tensor or storage.
    """

    def __init__(self, obj: torch.Tensor | torch.UntypedStorage | torch.TypedStorage) -> None:
        super().__init__(obj.device if obj.device.type == "ipex" else -1)


def synchronize(device: Device = None) -> None:
    """Waits until everything that was asked of the device has been computed.

    Args:
        device: the device; the current one by default.

    Raises:
        RuntimeError: E202, invalid index.
        ValueError: E103, not an ipex device.
    """
    torch.accelerator.synchronize(_get_device_index(device, optional=True))


def can_device_access_peer(device: Device, peer_device: Device) -> bool:
    """Returns whether one device can read another's memory: False, as for any device and itself in `torch.cuda`.

    Raises:
        RuntimeError: E202, invalid index.
        ValueError: E103, not an ipex device.
    """
    _get_device_index(device)
    _get_device_index(peer_device)
    return False


def ipc_collect() -> None:
    """Does nothing: shared memory is released with the last tensor that uses it, in whatever process."""

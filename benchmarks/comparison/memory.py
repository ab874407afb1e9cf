"""Memory of this process as Linux counts it: resident now, and the peak since the last reset. Bytes."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path


def resident() -> int:
    """Returns the memory that is in use now."""
    return _status("VmRSS")


def peak() -> int:
    """Returns the largest use since `reset_peak`, or since the process began."""
    return _status("VmHWM")


def reset_peak() -> None:
    """Lets the peak begin again from the memory that is in use now, after handing freed memory back to the system."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def _status(field: str) -> int:
    match = re.search(rf"^{field}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    if match is None:
        raise OSError(f"/proc/self/status has no {field}")
    return int(match.group(1)) * 1024

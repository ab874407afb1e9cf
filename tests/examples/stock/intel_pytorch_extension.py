"""Takes the place of the package while a script runs on stock PyTorch: the device is the CPU, precision is float32."""

from __future__ import annotations

import contextlib
from typing import Any

DEVICE = "cpu"


class AmpConf:
    """A conf of nothing."""

    def __init__(self, mixed_dtype: Any = None, configure_file: Any = None) -> None:
        pass

    def save(self, configure_file: str) -> None:
        """Writes nothing."""


def enable_auto_mixed_precision(mixed_dtype: Any = None, train: bool = False) -> None:
    """Does nothing."""


def AutoMixPrecision(conf: AmpConf, running_mode: str = "inference") -> contextlib.AbstractContextManager[None]:
    """Returns a context that does nothing."""
    return contextlib.nullcontext()

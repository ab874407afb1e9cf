"""Warnings that name the line of the program, not one of this package or of PyTorch."""

from __future__ import annotations

import sys
import warnings
from types import FrameType

_INSIDE = (__name__.partition(".")[0], "torch")


def warn(text: str) -> None:
    """Issues a UserWarning for the nearest caller that is neither this package nor PyTorch.

    Args:
        text: what happened; what the user can do.
    """
    level = 2
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in _INSIDE:
        frame, level = frame.f_back, level + 1
    warnings.warn(text, stacklevel=level)

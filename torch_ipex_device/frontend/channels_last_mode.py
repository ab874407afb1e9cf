"""The process-wide switch that says whether `ipex.optimize` puts weights of convolutions in channels-last order."""

from __future__ import annotations

_enabled = True


def enable_auto_channels_last() -> None:
    """Makes `ipex.optimize` put weights of convolutions in channels-last order; this is the default.

    Example:
        >>> ipex.enable_auto_channels_last()
    """
    global _enabled
    _enabled = True


def disable_auto_channels_last() -> None:
    """Makes `ipex.optimize` leave the memory format of weights alone. Models that it returned before stay as they are.

    Example:
        >>> ipex.disable_auto_channels_last()
        >>> ipex.enable_auto_channels_last()
    """
    global _enabled
    _enabled = False


def auto_channels_last_enabled() -> bool:
    """Returns whether the next `ipex.optimize` puts weights of convolutions in channels-last order."""
    return _enabled

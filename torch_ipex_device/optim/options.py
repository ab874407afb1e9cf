"""Checks of what optimizers of this package are made with."""

from __future__ import annotations

from torch_ipex_device.core.errors import error


def require(where: str, name: str, value: object, is_accepted: bool, accepted: str) -> None:
    """Raises E103 unless `is_accepted`."""
    if not is_accepted:
        raise error("E103", where, f"got {name}={value!r}; accepted: {accepted}")


def require_not_negative(where: str, **options: float) -> None:
    """Raises E103 if an option is below 0 or NaN."""
    for name, value in options.items():
        require(where, name, value, value >= 0, "0 or more")

"""Eager epilogue fusion: element-wise operators join the primitive before them while an eager program runs."""

from __future__ import annotations

from typing import NamedTuple

from torch_ipex_device import _C
from torch_ipex_device.core.errors import error


class FusionCount(NamedTuple):
    """What eager fusion has done since the process began, in all threads.

    Attributes:
        opened: primitives whose result was left open.
        extended: operators that joined an open primitive.
        fused: post-ops that ran inside of primitives.
        applied: post-ops that ran as loops of their own, because the primitive could not take them, or the value before
            them was wanted too.
    """

    opened: int
    extended: int
    fused: int
    applied: int


def set_eager_fusion(enabled: bool) -> None:
    """Turns eager epilogue fusion on or off for all threads of the process; what is open is computed first.

    Results agree to rounding either way. Without it errors of execution appear at the operator that made them, and a
    profile shows every operator with its own time.

    Args:
        enabled: whether results may be left open. The variable `IPEX_EAGER_FUSION` says so at the start.

    Raises:
        ValueError: E103, not a bool.
        RuntimeError: E301, an open primitive failed.

    Example:
        >>> torch.ipex.set_eager_fusion(False)
        >>> torch.ipex.eager_fusion()
        False
        >>> torch.ipex.set_eager_fusion(True)
    """
    if not isinstance(enabled, bool):
        raise error("E103", "set_eager_fusion", f"got {enabled!r}; accepted: True or False")
    _C.set_eager_fusion(enabled)


def eager_fusion() -> bool:
    """Returns whether results may be left open."""
    return _C.eager_fusion()


def fusion_stats() -> FusionCount:
    """Returns how many primitives were left open and what became of the operators after them."""
    return FusionCount(**_C.fusion_statistics())

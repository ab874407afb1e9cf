"""Which operators compute in low precision while automatic mixed precision is on."""

from __future__ import annotations

from typing import Literal, TypeAlias

from torch_ipex_device import _C
from torch_ipex_device.core.errors import error

Precision: TypeAlias = Literal["low", "follow", "float32"]
"""`low`: bfloat16. `follow`: bfloat16 if all operands were computed so. `float32`: what all others do."""


def policy() -> dict[str, str]:
    """Returns what each operator does that does not always compute in float32.

    Returns:
        Full operator names ("aten::linear", "aten::add.Tensor") with "low", "follow" or "float32".

    Example:
        >>> ipex.amp.policy()["aten::linear"]
        'low'
    """
    return _C.amp_policy()


def set_policy(operator: str, precision: Precision) -> None:
    """Changes what an operator does, for all threads of the process.

    Args:
        operator: a name of `policy()`.
        precision: "low", "follow" or "float32".

    Raises:
        TypeError: E101, not a string.
        ValueError: E103, an operator that always computes in float32, or an unknown precision.

    Example:
        >>> ipex.amp.set_policy("aten::_softmax", "float32")
    """
    for value in (operator, precision):
        if not isinstance(value, str):
            raise error("E101", "amp.set_policy", f"got {type(value).__name__}; accepted: str")
    _C.set_amp_policy(operator, precision)


def reset_policy() -> None:
    """Undoes every `set_policy`."""
    _C.reset_amp_policy()

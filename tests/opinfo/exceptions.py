"""Operators that may differ from CPU, and the few that must be sampled or compared in a special way; each with why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Excepted:
    """An operator allowed to differ in one check; its other checks must still pass.

    Attributes:
        check: The only check that may differ: "forward", "backward", "in-place" or "out".
        reason: Why it differs.
        link: Where this is documented or reported.
    """

    check: str
    reason: str
    link: str


MOST_EXCEPTED = 12
"""How many operators EXCEPTED may name."""

EXCEPTED: dict[str, Excepted] = {}

UNINITIALISED: dict[str, str] = {
    "empty": "returns memory that nobody has written",
    "empty_like": "returns memory that nobody has written",
    "empty_permuted": "returns memory that nobody has written",
    "empty_strided": "returns memory that nobody has written",
    "new_empty": "returns memory that nobody has written",
    "new_empty_strided": "returns memory that nobody has written",
}
"""Operators of which everything is compared but values, with the reason."""

HOST_ARGUMENTS: dict[str, str] = {
    "tensor_split": "its tensor of indices or sections must be on CPU on every device",
}
"""Operators whose further arguments stay on CPU; only the input moves to the device."""

"""Which operators ran natively and which on the CPU fallback, and what a fallback may do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from torch_ipex_device import _C
from torch_ipex_device.core.config import VARIABLES
from torch_ipex_device.core.errors import error

POLICIES = VARIABLES["IPEX_FALLBACK"].accepted


class OperatorCount(NamedTuple):
    """Calls of one operator since the last reset.

    Attributes:
        native: calls that a kernel of the device served.
        fallback: calls that the CPU's kernel served, on the same memory.
    """

    native: int
    fallback: int


def operator_stats() -> dict[str, OperatorCount]:
    """Returns the calls of each operator since the last `reset_fallback_stats`, of all threads.

    Returns:
        Full operator name -> counts, sorted by name; operators that were not called are absent.

    Example:
        >>> torch.ipex.reset_fallback_stats()
        >>> _ = torch.ones(2, device="ipex").cumsum(0)
        >>> torch.ipex.operator_stats()["aten::cumsum"]
        OperatorCount(native=0, fallback=1)
    """
    return {name: OperatorCount(*counts) for name, counts in sorted(_C.operator_stats().items())}


def fallback_stats() -> dict[str, int]:
    """Returns how often each operator ran on the CPU fallback since the last `reset_fallback_stats`.

    Returns:
        Full operator name -> number of calls, the most frequent first; operators that did not fall back are absent.
    """
    calls = {name: count.fallback for name, count in operator_stats().items() if count.fallback}
    return dict(sorted(calls.items(), key=lambda row: -row[1]))


def reset_fallback_stats() -> None:
    """Sets the counts of `operator_stats` and `fallback_stats` to zero."""
    _C.reset_operator_stats()


def set_fallback_policy(policy: str, *, allowed_on_integers: Iterable[str] = ()) -> None:
    """Says what happens when an operator runs on the CPU fallback, in all threads of the process.

    Args:
        policy: `"silent"`, `"warn"` (once per operator) or `"error"` (E105). The variable `IPEX_FALLBACK` sets it at
            start.
        allowed_on_integers: full operator names ("aten::add_.Tensor") that may run on the fallback under every policy
            when no floating point tensor is among their arguments: counters and indices.

    Raises:
        ValueError: E501, an unknown policy; the old one stays.
    """
    if policy not in POLICIES:
        raise error("E501", "set_fallback_policy", f"got {policy!r}; accepted: {', '.join(POLICIES)}")
    _C.set_fallback_policy(policy)
    _C.set_allowed_on_integers(list(allowed_on_integers))


def get_fallback_policy() -> str:
    """Returns the fallback policy: `"silent"`, `"warn"` or `"error"`."""
    return _C.fallback_policy()


@contextlib.contextmanager
def fallback_policy(policy: str, *, allowed_on_integers: Iterable[str] = ()) -> Iterator[None]:
    """Context manager that sets the fallback policy, for all threads, and restores it.

    Args:
        policy: as in `set_fallback_policy`.
        allowed_on_integers: as in `set_fallback_policy`.

    Raises:
        ValueError: E501, an unknown policy.

    Example:
        >>> x = torch.ones(2, 2, device="ipex")
        >>> with torch.ipex.fallback_policy("error"):
        ...     y = torch.softmax(x, 1)  # raises E105 if no native kernel served it
    """
    previous, previously_allowed = get_fallback_policy(), _C.allowed_on_integers()
    set_fallback_policy(policy, allowed_on_integers=allowed_on_integers)
    try:
        yield
    finally:
        set_fallback_policy(previous, allowed_on_integers=previously_allowed)

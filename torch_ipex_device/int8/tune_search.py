"""The search of `tune`, over anything: as few things as possible without which something holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Thing = TypeVar("Thing")


def fewest(ranked: Sequence[Thing], holds: Callable[[Sequence[Thing]], bool]) -> list[Thing] | None:
    """Finds a small selection that makes a predicate hold; none of it can be left out alone.

    Asks for nothing, then for the first 1, 2, 4, ... things, then bisects between the last two answers, then leaves out one
    thing after the other, the last first. For k things of n that are about 2 log2(k) + k questions.

    Args:
        ranked: the most promising first.
        holds: expensive; should hold for all of them.

    Returns:
        The selection, in the order of `ranked`; None when the predicate does not hold even for all.

    Example:
        >>> fewest([5, 4, 3, 2, 1], lambda chosen: 4 in chosen)
        [4]
    """
    fails, most = 0, 0
    while not holds(ranked[:most]):
        if most == len(ranked):
            return None
        fails, most = most, min(len(ranked), max(1, 2 * most))
    while most - fails > 1:
        middle = (fails + most) // 2
        if holds(ranked[:middle]):
            most = middle
        else:
            fails = middle
    found = list(ranked[:most])
    for thing in reversed(found[:-1]):  # without its last thing it was asked already
        rest = [other for other in found if other is not thing]
        if holds(rest):
            found = rest
    return found

"""Which cores there are: those that the process may use, and those of a NUMA node."""

from __future__ import annotations

import os
from pathlib import Path

from torch_ipex_device.core.errors import error

_NODES = Path("/sys/devices/system/node")
_CPUS = Path("/sys/devices/system/cpu")


def process_cores() -> frozenset[int]:
    """Returns the hardware threads that the process may use, by the affinity of its main thread."""
    return frozenset(os.sched_getaffinity(os.getpid()))


def get_core_list_of_node_id(node_id: int) -> list[int]:
    """Returns one hardware thread for every physical core of a NUMA node, in ascending order.

    The process may not be allowed to use them all; `CPUPool` leaves out those that it may not.

    Args:
        node_id: number of the node, from 0.

    Raises:
        ValueError: E103, there is no such node.

    Example:
        >>> len(ipex.cpu.runtime.get_core_list_of_node_id(0)) > 0
        True
    """
    nodes = _nodes()
    if node_id not in nodes:
        accepted = ", ".join(map(str, sorted(nodes)))
        raise error("E103", "get_core_list_of_node_id", f"got node_id={node_id!r}; accepted: {accepted}")
    return sorted({_first_sibling(cpu) for cpu in nodes[node_id]} & nodes[node_id])


def _nodes() -> dict[int, set[int]]:
    lists = {int(path.parent.name.removeprefix("node")): path for path in _NODES.glob("node[0-9]*/cpulist")}
    # Without that folder, as in some containers, all processors are one node.
    return {node: _numbers(path.read_text()) for node, path in lists.items()} or {0: set(process_cores())}


def _first_sibling(cpu: int) -> int:
    siblings = _CPUS / f"cpu{cpu}" / "topology" / "thread_siblings_list"
    return min(_numbers(siblings.read_text())) if siblings.exists() else cpu


def _numbers(text: str) -> set[int]:
    """Returns the numbers of a list such as `0-3,8`."""
    found: set[int] = set()
    for part in text.strip().split(","):
        if part:
            first, _, last = part.partition("-")
            found |= set(range(int(first), int(last or first) + 1))
    return found

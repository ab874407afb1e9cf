"""explain: what ran while a block was executed, operator by operator, where, how, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType

from torch_ipex_device import _C

PATHS = ("native", "open", "fallback", "data movement")


@dataclass(frozen=True)
class OperatorRow:
    """Equal calls of one operator.

    Attributes:
        operator: full name, "aten::linear".
        path: "native" (a kernel of the device), "open" (left to a later row, "convolution+relu"), "fallback" (the CPU's kernel on the same memory) or "data movement".
        reason: why the call was not native, or what made an open primitive run; empty otherwise.
        arguments: dtypes and sizes of the tensors; "@acdb" after one: its dimensions in the order of memory.
        implementations: what oneDNN ran, with its name of the implementation; empty for kernels of our own.
        calls: number of calls.
        nanoseconds: wall-clock time of all calls, with the operators called inside.
        reorders: layout changes.
        reordered_bytes: bytes that the layout changes wrote.
        materializations: layout changes that made plain bytes of a physical form.
    """

    operator: str
    path: str
    reason: str
    arguments: str
    implementations: str
    calls: int
    nanoseconds: int
    reorders: int
    reordered_bytes: int
    materializations: int


class explain:
    """Context manager that records every operator of all threads on ipex.

    Attributes:
        rows: after the block, one `OperatorRow` per operator, path and kind of arguments, in order of first call.

    Raises:
        ValueError: E103 on entry, when a recording is open already.

    Example:
        >>> with ipex.explain() as explanation:
        ...     _ = torch.softmax(torch.ones(2, 3, device="ipex"), 1)
        >>> [row.path for row in explanation.rows if row.operator == "aten::_softmax"]
        ['native']
        >>> print(explanation)  # a table
    """

    def __init__(self) -> None:
        self.rows: tuple[OperatorRow, ...] = ()

    def __enter__(self) -> explain:
        _C.start_recording()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.rows = tuple(OperatorRow(**row) for row in _C.stop_recording())  # type: ignore[arg-type]

    def __str__(self) -> str:
        """Returns a table, the most expensive rows first, and totals."""
        header = ("operator", "path", "calls", "ms", "reorders", "MB", "oneDNN", "arguments", "reason")
        lines = [header]
        for row in sorted(self.rows, key=lambda row: -row.nanoseconds):
            lines.append(
                (
                    row.operator,
                    row.path,
                    str(row.calls),
                    f"{row.nanoseconds / 1e6:.3f}",
                    str(row.reorders),
                    f"{row.reordered_bytes / 1e6:.2f}",
                    row.implementations,
                    row.arguments,
                    row.reason,
                )
            )
        widths = [max(len(line[i]) for line in lines) for i in range(len(header) - 1)]
        table = [
            "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]])
            for line in lines
        ]
        return "\n".join([line.rstrip() for line in table] + [self._totals()])

    def _totals(self) -> str:
        calls = {path: sum(row.calls for row in self.rows if row.path == path) for path in PATHS}
        counts = ", ".join(f"{count} {path}" for path, count in calls.items())
        reorders, moved = (sum(getattr(row, name) for row in self.rows) for name in ("reorders", "reordered_bytes"))
        plain = sum(row.materializations for row in self.rows)
        return f"calls: {counts}; {reorders} reorders of {moved / 1e6:.2f} MB, {plain} of them to plain bytes"

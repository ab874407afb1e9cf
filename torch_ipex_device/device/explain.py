"""explain: what ran while a block was executed, operator by operator, where, how, and what it cost."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import NamedTuple

from torch_ipex_device import _C

from .timeline import Span, draw

PATHS = ("native", "open", "fallback", "data movement")


@dataclass(frozen=True)
class OperatorRow:
    """Equal calls of one operator, or equal runs of a primitive that an operator had left open.

    Attributes:
        operator: full name, "aten::linear"; of an open primitive, itself and its epilogue, "convolution+batch_norm+relu".
        path: "native" (a kernel of the device), "open" (left to a later row), "fallback" (the CPU's kernel on the same
            memory) or "data movement".
        reason: why the call was not native, or what made an open primitive run; empty otherwise.
        arguments: dtypes and sizes of the tensors; "Float:BFloat16" is float32 to the program and held in bfloat16;
            "@acdb" after one: its dimensions in the order of memory.
        implementations: what oneDNN ran, with its name of the implementation; empty for kernels of our own.
        fused: operators of the epilogue that ran inside of the primitive, "batch_norm+relu".
        calls: number of calls.
        nanoseconds: wall-clock time of all calls, with the operators called inside, but without open primitives that were
            closed inside: these have rows of their own.
        own_nanoseconds: the same without operators called inside; the own times of all rows add up to the whole.
        reorders: layout changes.
        reordered_bytes: bytes that the layout changes wrote.
        materializations: layout changes that made plain bytes of a physical form.
    """

    operator: str
    path: str
    reason: str
    arguments: str
    implementations: str
    fused: str
    calls: int
    nanoseconds: int
    own_nanoseconds: int
    reorders: int
    reordered_bytes: int
    materializations: int


class OperatorCall(NamedTuple):
    """One call.

    Attributes:
        row: index of its row in `explain.rows`.
        thread: number of the thread that the operating system gives it.
        start: nanoseconds since the block began.
        duration: nanoseconds, with everything called inside.
    """

    row: int
    thread: int
    start: int
    duration: int


class explain:
    """Context manager that records every operator of all threads on ipex.

    What the block leaves open (`torch.ipex.set_eager_fusion`) is computed at its end and recorded too.

    Attributes:
        rows: after the block, one `OperatorRow` per operator, path and kind of arguments, in order of first end.
        calls: after the block, the first 262,144 calls, in order of their ends.

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
        self.calls: tuple[OperatorCall, ...] = ()

    def __enter__(self) -> explain:
        _C.start_recording()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            rows, calls = _C.stop_recording()  # computes what the block left open
        except Exception:
            if value is None:
                raise
            return  # the block has failed already: that error counts
        self.rows = tuple(OperatorRow(**row) for row in rows)  # type: ignore[arg-type]
        self.calls = tuple(OperatorCall(*call) for call in calls)

    def to_json(self) -> str:
        """Returns rows and calls as a JSON object with the keys "rows" and "calls", the fields named as here."""
        return json.dumps(
            {"rows": [asdict(row) for row in self.rows], "calls": [call._asdict() for call in self.calls]}, indent=1
        )

    def to_svg(self) -> str:
        """Returns a timeline as an SVG picture: a lane per thread and depth of calls, a bar per call, details when pointed at."""
        return draw(
            [
                Span(
                    name=self.rows[call.row].operator,
                    kind=self.rows[call.row].path,
                    detail=self._detail(call),
                    lane=call.thread,
                    start=call.start,
                    end=call.start + call.duration,
                )
                for call in self.calls
            ]
        )

    def _detail(self, call: OperatorCall) -> str:
        row = self.rows[call.row]
        parts = (f"{call.duration / 1e3:.1f} us", row.path, row.implementations, row.arguments, row.reason)
        return "\n".join((row.operator, *(part for part in parts if part)))

    def __str__(self) -> str:
        """Returns a table, the most expensive rows first, and totals."""
        header = (
            "operator",
            "path",
            "calls",
            "ms",
            "share",
            "reorders",
            "MB",
            "fused",
            "oneDNN",
            "arguments",
            "reason",
        )
        lines = [header]
        whole = max(1, sum(row.own_nanoseconds for row in self.rows))
        for row in sorted(self.rows, key=lambda row: -row.own_nanoseconds):
            lines.append(
                (
                    row.operator,
                    row.path,
                    str(row.calls),
                    f"{row.nanoseconds / 1e6:.3f}",
                    f"{row.own_nanoseconds / whole:.1%}",
                    str(row.reorders),
                    f"{row.reordered_bytes / 1e6:.2f}",
                    row.fused,
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

"""How long the operators of a recipe take, from what ipex.explain() saw of a program.

A primitive that an operator leaves open runs later, with the operators that joined it. Its time belongs to the operator
that opened it; those that joined only took the time of their call.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from torch_ipex_device.device.explain import OperatorCall, explain

_STEPS = {"hardtanh": "clamp"}
"""Names of operators in primitives, where they are others."""


@dataclass(frozen=True)
class Latency:
    """What one operator took.

    Attributes:
        milliseconds: its call, and the primitive that it opened.
        inside: entry of the operator in whose primitive it ran, whose time includes its arithmetic; None: it ran alone,
            or others ran inside of it.
    """

    milliseconds: float
    inside: int | None


@dataclass
class _Span:
    """A call of the recording.

    Attributes:
        nanoseconds: without primitives that ran inside and that other operators had opened.
        primitive: of the primitive that it opened, if that ran.
        steps: names of what the primitive consists of.
    """

    call: OperatorCall
    nanoseconds: int
    primitive: int | None = None
    steps: str = ""


def latencies(
    explanation: explain, operators: Sequence[tuple[str, int | None]], sources: Mapping[int, Sequence[int]]
) -> dict[int, Latency]:
    """Returns what each entry took.

    Args:
        explanation: of one run of the program.
        operators: name and entry of the operators of the program, in their order.
        sources: for each entry, the entries that it reads, or -1.

    Returns:
        Without the entries whose operator is not in the recording.
    """
    spans = _spans(explanation)
    _give_primitives(explanation, spans)
    found: dict[int, _Span] = {}
    for (_, entry), span in _aligned(explanation, operators, spans):
        if entry is not None:
            found[entry] = span
    heads: dict[int, int] = {}
    result: dict[int, Latency] = {}
    for entry in sorted(found):
        span = found[entry]
        inside = None
        if explanation.rows[span.call.row].path == "open" and span.primitive is None:
            readable = [heads.get(source, source) for source in sources.get(entry, ())]
            inside = _joined(
                explanation.rows[span.call.row].operator, {head: found[head] for head in readable if head in found}
            )
        if inside is not None:
            heads[entry] = inside
        result[entry] = Latency((span.nanoseconds + (span.primitive or 0)) / 1e6, inside)
    return result


def shortest(runs: Sequence[Mapping[int, Latency]]) -> dict[int, Latency]:
    """Returns the least time of each entry over several runs."""
    found: dict[int, Latency] = {}
    for run in runs:
        for entry, latency in run.items():
            if entry not in found or latency.milliseconds < found[entry].milliseconds:
                found[entry] = replace(latency)
    return found


def _is_primitive(explanation: explain, call: OperatorCall) -> bool:
    """Whether it is the run of an open primitive, "convolution+relu", not the call of an operator, "aten::relu"."""
    return "::" not in explanation.rows[call.row].operator


def _spans(explanation: explain) -> list[_Span]:
    """The calls of this thread in the order of their starts."""
    mine = threading.get_native_id()
    calls = [call for call in explanation.calls if call.thread == mine]
    spans: list[_Span] = []
    around: list[_Span] = []
    for call in sorted(calls, key=lambda call: (call.start, -call.duration)):
        while around and around[-1].call.start + around[-1].call.duration <= call.start:
            around.pop()
        span = _Span(call, call.duration)
        if _is_primitive(explanation, call):
            for outer in reversed(around):
                outer.nanoseconds -= call.duration
                if _is_primitive(explanation, outer.call):
                    break
        spans.append(span)
        around.append(span)
    return spans


def _give_primitives(explanation: explain, spans: Sequence[_Span]) -> None:
    """Adds the time of each primitive to the operator that opened it: the first such one with the same arguments."""
    waiting: dict[str, deque[_Span]] = {}
    last: dict[str, _Span] = {}
    for span in spans:
        row = explanation.rows[span.call.row]
        if not _is_primitive(explanation, span.call):
            if row.path == "open":
                waiting.setdefault(row.arguments, deque()).append(span)
            continue
        if waiting.get(row.arguments):
            last[row.arguments] = waiting[row.arguments].popleft()
        opener = last.get(row.arguments)  # again, when an intermediate result was wanted too
        if opener is not None:
            opener.primitive = (opener.primitive or 0) + span.nanoseconds
            opener.steps += "+" + row.operator


def _aligned(
    explanation: explain, operators: Sequence[tuple[str, int | None]], spans: Sequence[_Span]
) -> list[tuple[tuple[str, int | None], _Span]]:
    """Pairs the operators of the program with calls of the same names in the same order."""
    names = {name for name, entry in operators if entry is not None}
    wanted = [operator for operator in operators if operator[0] in names]
    called = [span for span in spans if explanation.rows[span.call.row].operator in names]
    labels = [explanation.rows[span.call.row].operator for span in called]
    matcher = SequenceMatcher(None, [name for name, _ in wanted], labels, autojunk=False)
    return [
        (wanted[block.a + index], called[block.b + index])
        for block in matcher.get_matching_blocks()
        for index in range(block.size)
    ]


def _joined(operator: str, heads: Mapping[int, _Span]) -> int | None:
    """The entry whose primitive an operator joined, of those whose results it reads; of several, the latest."""
    step = operator.removeprefix("aten::").removeprefix("native_").split(".")[0].rstrip("_")
    step = _STEPS.get(step, step)
    found = [head for head in sorted(heads) if step in heads[head].steps]
    return found[-1] if found else None

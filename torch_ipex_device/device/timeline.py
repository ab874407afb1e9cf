"""Timelines as SVG pictures that need no other program than a browser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from xml.etree import ElementTree

WIDTH, LEFT, ROW, HEADER = 1600, 90, 22, 48  # pixels
NARROWEST_LABEL = 60
COLORS = {"native": "#3b7dd8", "open": "#b7c4d6", "fallback": "#d9822b", "data movement": "#8a6fc0"}


class Span(NamedTuple):
    """One bar.

    Attributes:
        name: text in the bar.
        kind: a key of `COLORS`.
        detail: text that is shown when the bar is pointed at.
        lane: spans of one lane lie in the same rows, those inside of others below them.
        start: nanoseconds.
        end: nanoseconds.
    """

    name: str
    kind: str
    detail: str
    lane: int
    start: int
    end: int


def draw(spans: Sequence[Span]) -> str:
    """Returns the picture of spans, which lie inside or beside each other within a lane."""
    rows = _rows(spans)
    first = min((span.start for span in spans), default=0)
    last = max((span.end for span in spans), default=1)
    scale = (WIDTH - LEFT) / max(1, last - first)
    height = HEADER + ROW * (len(set(rows)) + 1)
    root = ElementTree.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {WIDTH} {height}",
            "font-family": "sans-serif",
            "font-size": "11",
        },
    )
    _legend(root, last - first)
    places = {row: HEADER + ROW * index for index, row in enumerate(sorted(set(rows)))}
    for (lane, depth), top in places.items():
        if depth == 0:
            _text(root, 4, top + 15, f"thread {lane}")
    for span, row in zip(spans, rows, strict=True):
        left, width = LEFT + (span.start - first) * scale, max(0.5, (span.end - span.start) * scale)
        bar = ElementTree.SubElement(
            root,
            "rect",
            {
                "x": f"{left:.2f}",
                "y": str(places[row]),
                "width": f"{width:.2f}",
                "height": str(ROW - 2),
                "fill": COLORS[span.kind],
                "stroke": "white",
                "stroke-width": "0.3",
            },
        )
        ElementTree.SubElement(bar, "title").text = span.detail
        if width > NARROWEST_LABEL:
            _text(root, left + 3, places[row] + 14, span.name[: int(width / 6)], "white")
    return ElementTree.tostring(root, encoding="unicode")


def _rows(spans: Sequence[Span]) -> list[tuple[int, int]]:
    """Returns lane and depth of each span."""
    order = sorted(range(len(spans)), key=lambda i: (spans[i].lane, spans[i].start, -spans[i].end))
    rows: list[tuple[int, int]] = [(0, 0)] * len(spans)
    around: list[Span] = []
    for i in order:
        span = spans[i]
        while around and (around[-1].lane != span.lane or around[-1].end <= span.start):
            around.pop()
        rows[i] = (span.lane, len(around))
        around.append(span)
    return rows


def _legend(root: ElementTree.Element, nanoseconds: int) -> None:
    _text(root, 4, 16, f"{nanoseconds / 1e6:.3f} ms from edge to edge")
    for index, (kind, color) in enumerate(COLORS.items()):
        left = 260 + 150 * index
        ElementTree.SubElement(root, "rect", {"x": str(left), "y": "5", "width": "14", "height": "14", "fill": color})
        _text(root, left + 20, 16, kind)


def _text(root: ElementTree.Element, x: float, y: float, text: str, fill: str = "#222") -> None:
    ElementTree.SubElement(root, "text", {"x": f"{x:.2f}", "y": f"{y:.2f}", "fill": fill}).text = text

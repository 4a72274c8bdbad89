"""What the program says of itself, on the lanes: a bracket over each span, a flag at each mark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from analysis.arrays import Bools, Table
from analysis.measures.switched_on import switched_on
from analysis.tables.marks import span_rows

from ...style import INK, MARKED
from ...text import elide, printable, width
from ..rows import Row
from ..window import Window

if TYPE_CHECKING:
    from analysis.tables.trace import Trace

MOST: Final = 240
"""So many spans, or marks, at most are drawn: the longest spans; more marks than that none."""

_SIZE: Final = 10.0
_ROWS: Final = 3


def draw_spans(axes: Axes, trace: Trace, window: Window, lanes: Mapping[int, Row]) -> int:
    """Draw a bracket above the lane over each span, those that overlap below each other; return how many."""
    spans, rows = trace.spans, span_rows(trace.spans)
    inside = (spans["start"] < window.end) & (spans["start"] + spans["duration"] > window.start)
    at = np.flatnonzero(inside & _on_lanes(spans, lanes) & (rows < _ROWS))
    at = at[np.argsort(-spans["duration"][at], kind="stable")[:MOST]]
    points = 72 * axes.get_window_extent().width / axes.figure.dpi / window.span
    lines = []
    for number in at.tolist():
        span, lane = spans[number], lanes[int(spans["thread"][number])]
        begin, end = int(span["start"]), int(span["start"] + span["duration"])
        left, right = max(begin, window.start) - trace.begin, min(end, window.end) - trace.begin
        above = lane.bar[0] - lane.top
        y = lane.top + above * (0.3 + 0.6 * int(rows[number]) / _ROWS)
        lines.append([(left, y), (right, y)])
        # Else it goes on beyond the window, or its end was not seen.
        lines += [[(left, y), (left, lane.bar[0])]] if begin >= window.start else []
        lines += [[(right, y), (right, lane.bar[0])]] if end <= window.end and not span["unfinished"] else []
        if rows[number] == 0:
            _name(axes, trace, int(span["name"]), (left, right), y, points * (right - left))
    if lines:
        axes.add_collection(
            LineCollection(lines, colors=INK, linewidths=1.1, zorder=3.2, label="span"), autolim=False
        )
    return len(at)


def draw_marks(axes: Axes, trace: Trace, window: Window, lanes: Mapping[int, Row]) -> int:
    """Draw a flag on the lane at each mark, if there are not too many; return how many."""
    marks = trace.marks
    inside = (marks["time"] >= window.start) & (marks["time"] < window.end)
    marks = marks[inside & _on_lanes(marks, lanes)]
    if not 0 < len(marks) <= MOST:
        return 0
    axes.plot(
        marks["time"] - trace.begin,
        [lanes[thread].bar[0] for thread in marks["thread"].tolist()],
        linestyle="none",
        marker="v",
        markersize=7,
        markeredgewidth=0.6,
        markeredgecolor="white",
        color=MARKED,
        zorder=5,
        label="mark",
    )
    return len(marks)


def draw_switches(axes: Axes, trace: Trace, window: Window, lanes: Mapping[int, Row]) -> None:
    """Draw a line where an import switched the GIL on, and say which."""
    for each in switched_on(trace):
        if not window.start <= each.time < window.end or each.thread not in lanes:
            continue
        at = each.time - trace.begin
        late = each.time > (window.start + window.end) / 2
        axes.axvline(at, color=INK, linewidth=1.2, linestyle=(0, (4, 2)), zorder=4)
        text = f"GIL on: import of {each.module}" + (f" in {each.where}" if each.where else "")
        axes.annotate(
            printable(text),
            (at, lanes[each.thread].bar[0]),
            (-4 if late else 4, 2),
            textcoords="offset points",
            ha="right" if late else "left",
            va="bottom",
            size=_SIZE,
            color=INK,
            zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2, "alpha": 0.9},
        )


def _on_lanes(table: Table, lanes: Mapping[int, Row]) -> Bools:
    return np.isin(table["thread"], np.array(sorted(lanes), np.int64))


def _name(axes: Axes, trace: Trace, name: int, between: tuple[int, int], y: float, room: float) -> None:
    """Write what a span is called where there is room for most of it."""
    if name < 0 or room < 3 * _SIZE:
        return
    text = elide(printable(trace.mark_names[name]), _SIZE, room - 8)
    if width(text, _SIZE) > room - 8 or len(text) < min(3, len(trace.mark_names[name])):
        return
    axes.text(
        sum(between) / 2,
        y,
        text,
        ha="center",
        va="center_baseline",
        size=_SIZE,
        color=INK,
        zorder=3.3,
        clip_on=True,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2, "alpha": 0.9},
    )

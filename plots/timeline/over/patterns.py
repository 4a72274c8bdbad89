"""Patterns above the lanes: a bracket over the time of each, with its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from matplotlib.axes import Axes

from ...style import ALARM, INK
from ...text import elide, printable, width
from ..window import Window

if TYPE_CHECKING:
    from analysis.tables.trace import Trace
    from analysis.why.detectors.finding import Pattern

ROW: Final = 0.27
"""Inches of height that a bracket takes."""

_MOST: Final = 3
_SIZE: Final = 12.0
_THREADS: Final = 2
_NOT_MARKED: Final = ("no contention",)


def in_window(patterns: Sequence[Pattern], window: Window) -> list[Pattern]:
    """Return the patterns to mark: a few, the best first, of those that something is to be seen of."""
    seen = [
        pattern
        for pattern in patterns
        if pattern.name not in _NOT_MARKED and pattern.begin < window.end and pattern.end > window.start
    ]
    return seen[:_MOST]


def draw_patterns(axes: Axes, trace: Trace, patterns: Sequence[Pattern], window: Window) -> None:
    """Draw a row for each; the axes are ROW inches high for each, and as wide as the lanes."""
    axes.set_ylim(len(patterns), 0)
    axes.set_axis_off()
    points = 72 * axes.get_window_extent().width / axes.figure.dpi / window.span
    for row, pattern in enumerate(patterns):
        begin, end = max(pattern.begin, window.start), min(pattern.end, window.end)
        x = [begin - trace.begin, end - trace.begin]
        y = row + 0.62
        axes.plot(x, [y, y], color=ALARM, linewidth=1.6, solid_capstyle="butt", label=pattern.name)
        for at, inside in zip(x, (pattern.begin >= begin, pattern.end <= end), strict=True):
            if inside:  # else it goes on beyond the window
                axes.plot([at, at], [y, y + 0.3], color=ALARM, linewidth=1.6, solid_capstyle="butt")
        _write(axes, trace, pattern, x, y, points)


def _write(axes: Axes, trace: Trace, pattern: Pattern, x: list[int], y: float, points: float) -> None:
    """Write the name on the bracket if it is long enough, else beside it where there is room."""
    text = elide(_label(trace, pattern), _SIZE, 420, "bold")
    room = width(text, _SIZE, "bold") + 16
    low, high = axes.get_xlim()
    if points * (x[1] - x[0]) > room + 24:
        at, side = (x[0] + x[1]) / 2, "center"
    elif points * (high - x[1]) > room:
        at, side = x[1] + 6 / points, "left"
    else:
        at, side = max(x[0] - 6 / points, low + room / points), "right"
    axes.text(
        at,
        y,
        text,
        ha=side,
        va="center_baseline",
        size=_SIZE,
        weight="bold",
        color=INK,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )


def _label(trace: Trace, pattern: Pattern) -> str:
    names = [printable(trace.threads[thread].name) for thread in pattern.threads]
    if len(names) > _THREADS:
        return f"{pattern.name}: {len(names)} threads"
    return f"{pattern.name}: {', '.join(names)}"

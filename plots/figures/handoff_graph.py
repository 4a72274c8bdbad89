"""Handoffs as a graph: threads on a circle, and arrows for the GIL's way between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, FancyArrowPatch

from analysis.arrays import Float64s, Int64s
from analysis.report.reservations import in_part

from ..style import HOLD, INK, MUTED, style
from ..text import elide, fit, percent
from ..timeaxis import duration
from ..timeline.folding import Folded, fold

if TYPE_CHECKING:
    from analysis.tables.trace import Trace

_SHADES: Final = LinearSegmentedColormap.from_list("arrows", ["#BFCBD3", "#5B7C92", "#243B4A"])
_RADII: Final = (7.0, 31.0)
"""Least and greatest radius of a thread, points: their areas are in proportion to the time held."""
_WIDTHS: Final = (1.2, 11.0)
"""Of arrows, points."""
_COUNTED: Final = 6
"""So many arrows, the widest, have their count written on them."""
_NAMES: Final = 170.0
"""Room for a name, points."""
_CAPTION: Final = 24.0
_TWO_LINES: Final = 44.0
_BEND: Final = 0.16
_MOSTLY: Final = 0.3
"""Share of all handoffs from which on those of one pair are the title."""


@dataclass(frozen=True)
class _Graph:
    """Threads and how often the GIL went from one to another: counts[giver, taker]; ns held."""

    rows: Folded
    counts: Int64s
    held: Int64s


def handoff_graph(trace: Trace, *, ax: Axes | None = None, max_threads: int = 12) -> Axes:
    """Draw the way of the GIL from thread to thread.

    How to read it: a disc is a thread, as large as the time that it held the GIL; an arrow goes from who
    released it to who took it next, the wider and darker the more often it did. One that takes it again
    itself has no arrow. All arrows at one disc: that thread takes turns with all others, which don't meet.

    Parameters
    ----------
    trace : Trace
    ax : matplotlib Axes, optional
        By default a figure of its own is made.
    max_threads : int
        Threads with the most handoffs have a disc each; all others share one.

    Returns
    -------
    Axes
        x and y are points, the circle's centre is (0, 0).
    """
    if ax is None:
        with style():
            figure = Figure()
            FigureCanvasAgg(figure)
            ax = figure.add_axes((0.03, 0.03, 0.94, 0.85))
            return handoff_graph(trace, ax=ax, max_threads=max_threads)
    graph = _graph(trace, max_threads)
    box = ax.get_window_extent()
    across, down = (72 * size / ax.figure.dpi for size in (box.width, box.height))
    ax.set_xlim(-across / 2, across / 2)
    ax.set_ylim(-down / 2, down / 2)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    size = graph.rows.size
    if size:
        at = _circle(size, across, down)
        radius = _radii(graph.held)
        _draw_arrows(ax, graph.counts, at, radius)
        _draw_threads(ax, graph, at, radius)
    title, points = fit(in_part(trace) + _title(graph), across, (24, 21, 18, 15, 12), "bold")
    ax.set_title(title, pad=16, size=points)
    if size:
        below = "Disc: time that the thread held the GIL. Arrow: how often it went that way."
        ax.text(0, 0, below, transform=ax.transAxes, color=MUTED, va="bottom", size=14)
    return ax


def _graph(trace: Trace, most: int) -> _Graph:
    number = len(trace.threads)
    held = np.zeros(number, np.int64)
    for gil in trace.gils:
        holds = trace.holds(gil)
        np.add.at(held, holds.thread, holds.released - holds.acquired)
    giver, taker = trace.handoffs["from_thread"], trace.handoffs["to_thread"]
    other = giver != taker
    giver, taker = giver[other], taker[other]
    involved = np.bincount(giver, minlength=number) + np.bincount(taker, minlength=number)
    fits = most if np.count_nonzero(involved) <= most else most - 1
    rows = fold(trace, involved, fits)
    counts = np.zeros((rows.size, rows.size), np.int64)
    np.add.at(counts, (rows.place[giver], rows.place[taker]), 1)
    of_row = np.zeros(rows.size, np.int64)
    part = involved > 0
    np.add.at(of_row, rows.place[part], held[part])
    return _Graph(rows, counts, of_row)


def _circle(size: int, across: float, down: float) -> Float64s:
    """Return where the discs are: on an ellipse in the page, clockwise from the top; two side by side."""
    angle = np.pi / 2 - 2 * np.pi * np.arange(size) / size
    if size == 2:
        angle += np.pi / 2
    high = (down - _CAPTION) / 2 - _RADII[1] - _TWO_LINES
    wide = min(across / 2 - _NAMES - 2 * _RADII[1], 2.1 * high)
    return np.stack([wide * np.cos(angle), high * np.sin(angle) + _CAPTION / 2], axis=1)


def _radii(held: Int64s) -> Float64s:
    radius: Float64s = np.maximum(_RADII[0], _RADII[1] * np.sqrt(held / max(int(held.max()), 1)))
    return radius


def _draw_arrows(ax: Axes, counts: Int64s, at: Float64s, radius: Float64s) -> None:
    """Draw an arrow for each pair, the widest last; both ways bend away from each other."""
    pairs = [(int(a), int(b)) for a, b in np.argwhere(counts) if a != b]
    pairs.sort(key=lambda pair: int(counts[pair]))
    most = max((int(counts[pair]) for pair in pairs), default=1)
    for rank, (giver, taker) in enumerate(pairs):
        count = int(counts[giver, taker])
        share = count / most
        line = max(_WIDTHS[0], _WIDTHS[1] * share)
        begin, end, middle = _path(at[giver], at[taker], radius[giver] + 3, radius[taker] + 3)
        head = f"head_width={line + 7:.2f},head_length={line / 2 + 8:.2f}"
        shape = f"simple,tail_width={line:.2f},{head}"
        arrow = FancyArrowPatch(
            (float(begin[0]), float(begin[1])),
            (float(end[0]), float(end[1])),
            connectionstyle=f"arc3,rad={_BEND}",
            arrowstyle=shape,
            mutation_scale=1,
            shrinkA=0,
            shrinkB=0,
            facecolor=_SHADES(share),
            edgecolor="white",
            linewidth=0.6,
            zorder=2 + share,
        )
        ax.add_patch(arrow)
        covered = np.hypot(*(at - middle).T) < radius + 12
        if rank >= len(pairs) - _COUNTED and not covered.any():
            ax.text(
                float(middle[0]),
                float(middle[1]),
                f"{count:,}",
                ha="center",
                va="center",
                size=12,
                zorder=5,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.2},
            )


def _path(
    giver: Float64s, taker: Float64s, leave: float, arrive: float
) -> tuple[Float64s, Float64s, Float64s]:
    """Return begin and end of the arrow between two discs, and a place for its count, at a third of it."""
    way = taker - giver
    # arc3's control point lies to the right of the way; discs are left and met in its direction.
    control = (giver + taker) / 2 + _BEND * np.array([way[1], -way[0]])
    begin = giver + leave * (control - giver) / np.linalg.norm(control - giver)
    end = taker + arrive * (control - taker) / np.linalg.norm(control - taker)
    third = 0.42
    middle = (1 - third) ** 2 * begin + 2 * third * (1 - third) * control + third**2 * end
    return begin, end, middle


def _draw_threads(ax: Axes, graph: _Graph, at: Float64s, radius: Float64s) -> None:
    for row, name in enumerate(graph.rows.names):
        rest = row >= len(graph.rows.shown)
        x, y = (float(value) for value in at[row])
        ax.add_patch(
            Ellipse(
                (x, y),
                2 * float(radius[row]),
                2 * float(radius[row]),
                facecolor="#9DB8C9" if rest else HOLD,
                edgecolor="white",
                linewidth=1.5,
                zorder=4,
                label="thread",
            )
        )
        aside = abs(x) > 1
        side = 1 if x > 0 else -1
        gap = float(radius[row]) + 8
        place = (x + side * gap, y) if aside else (x, y + (gap if y > 0 else -gap))
        ax.text(
            *place,
            f"{elide(name, 14, _NAMES)}\nheld {duration(int(graph.held[row]))}",
            ha=("left" if side > 0 else "right") if aside else "center",
            va="center" if aside else "bottom" if y > 0 else "top",
            size=13,
            color=MUTED if rest else INK,
            linespacing=1.15,
            zorder=5,
        )


def _title(graph: _Graph) -> str:
    """Return the finding: the pair of threads between which the GIL went most often."""
    between = np.triu(graph.counts + graph.counts.T, 1)
    own = len(graph.rows.shown)
    whole = int(between.sum() + np.trace(graph.counts))
    if not whole:
        return "The GIL never went from one thread to another"
    if not between[:own, :own].any():
        return f"The GIL went from one thread to another {'once' if whole == 1 else f'{whole:,} times'}"
    one, two = np.unravel_index(int(between[:own, :own].argmax()), (own, own))
    number = int(between[one, two])
    names = graph.rows.names
    if number < _MOSTLY * whole:
        pair = f"most often between {names[one]} and {names[two]}"
        return f"The GIL went from one thread to another {whole:,} times, {pair}"
    times = "once" if number == 1 else f"{number:,} times"
    return (
        f"{names[one]} and {names[two]} passed each other the GIL {times}, {percent(number / whole)} of all"
    )

"""Who made whom wait: a matrix of times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

import analysis
from analysis.arrays import Int64s
from analysis.report.reservations import in_part

from ..style import FAINT, INK, MUTED, WAIT, luminance, style
from ..text import elide, fit, percent, width
from ..timeaxis import duration
from ..timeline.folding import Folded, fold

if TYPE_CHECKING:
    from analysis.tables.trace import Trace

_SHADES: Final = LinearSegmentedColormap.from_list("blame", ["#FFFFFF", WAIT])
_NAMED: Final = 5
"""Columns up to which they have names; else numbers."""
_SIZES: Final = (14, 12, 10)


def blame(trace: Trace, *, ax: Axes | None = None, max_threads: int = 10) -> Axes:
    """Draw for how long each thread waited while each other one held the GIL, as a matrix.

    How to read it: a row is who waited, and its cells sum up to the time that it did; a column is who held
    the GIL meanwhile. A dark column is a thread that makes many wait; a dark row one that many make wait. In
    the last column nobody held it: it was on its way to the next one.

    Parameters
    ----------
    trace : Trace
    ax : matplotlib Axes, optional
        By default a figure of its own is made.
    max_threads : int
        Threads that waited and made wait most have a row and a column each; all others share one.

    Returns
    -------
    Axes
        With one image, whose data are ns; cell (x, y) is centred on (x, y).
    """
    if ax is None:
        with style():
            figure = Figure()
            FigureCanvasAgg(figure)
            return _draw(trace, figure.add_axes((0.20, 0.05, 0.70, 0.74)), max_threads, -0.17 / 0.70)
    return _draw(trace, ax, max_threads, 0.0)


def _draw(trace: Trace, ax: Axes, max_threads: int, left: float) -> Axes:
    """Draw it into axes; the title begins at `left`, a share of their width."""
    matrix = analysis.blame(trace).matrix()
    involved = matrix.sum(axis=1) + matrix[:, :-1].sum(axis=0)
    rows = fold(trace, involved, max_threads)
    times = _folded(matrix, rows)
    own = len(rows.shown)
    brightest = int(times[:own, :own].max(initial=0)) or int(times.max(initial=0)) or 1
    ax.imshow(times, cmap=_SHADES, vmin=0, vmax=brightest, aspect="auto")
    _draw_cells(ax, times, brightest, own)
    _draw_names(ax, rows)
    for row, waited in enumerate(times.sum(axis=1).tolist()):
        ax.text(times.shape[1] - 0.4, row, duration(waited) if waited else "0", va="center_baseline", size=14)
    ax.annotate(
        "in all", (times.shape[1] - 0.4, -0.5), (0, 7), textcoords="offset points", size=14, color=MUTED
    )
    if not rows.size:
        ax.set_axis_off()
    room = 72 * (1.1 - left) * ax.get_window_extent().width / ax.figure.dpi
    title, points = fit(in_part(trace) + _title(matrix, trace), room, (24, 21, 18, 15, 12), "bold")
    ax.set_title(title, pad=18, size=points, x=left)
    return ax


def _folded(matrix: Int64s, rows: Folded) -> Int64s:
    """Return the times by rows; the last column is nobody."""
    size = max(rows.size, 1)
    place = np.minimum(np.append(rows.place, rows.size), size)  # who has no part in it has only zeros
    times = np.zeros((size, size + 1), np.int64)
    blocked, holder = np.nonzero(matrix)
    np.add.at(times, (place[blocked], place[holder]), matrix[blocked, holder])
    return times


def _draw_cells(ax: Axes, times: Int64s, brightest: int, own: int) -> None:
    box = ax.get_window_extent()
    across, down = (72 * size / ax.figure.dpi for size in (box.width, box.height))
    room, height = across / times.shape[1] - 6, down / times.shape[0]
    for row, column in np.argwhere(times):
        text = duration(int(times[row, column]))
        size = next((s for s in _SIZES if 1.3 * s <= height and width(text, s) <= room), None)
        if size is not None:
            red, green, blue, _ = _SHADES(min(times[row, column] / brightest, 1.0), bytes=True)
            dark = luminance(f"#{red:02x}{green:02x}{blue:02x}") < 0.3
            ax.text(
                column,
                row,
                text,
                ha="center",
                va="center_baseline",
                size=size,
                color="white" if dark else INK,
            )
    for thread in range(own):  # nobody waits for what it holds itself
        ax.fill_between([thread - 0.5, thread + 0.5], thread - 0.5, thread + 0.5, color=FAINT, linewidth=0)
    ax.axvline(times.shape[1] - 1.5, color=MUTED, linewidth=1)


def _draw_names(ax: Axes, rows: Folded) -> None:
    box = 72 * ax.get_window_extent().width / ax.figure.dpi
    names = list(rows.names)
    if rows.size <= _NAMED:
        columns = [elide(name, 14, box / (rows.size + 1) - 10) for name in names]
    else:  # there is no room for names above the columns
        names = [f"{name}   {number}" for number, name in enumerate(names, 1)]
        columns = [str(number) for number in range(1, rows.size + 1)]
    ax.set_xticks(range(rows.size + 1), [*columns, "nobody"])
    ax.set_yticks(range(rows.size), [elide(name, 14, 165) for name in names])
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("while it was held by", color=MUTED, labelpad=10)
    ax.set_ylabel("waited for the GIL", color=MUTED, labelpad=12)


def _title(matrix: Int64s, trace: Trace) -> str:
    whole = int(matrix.sum())
    if not whole:
        return "Nobody waited for the GIL"
    of_holder = matrix[:, :-1].sum(axis=0)
    worst = int(of_holder.argmax())
    if 2 * matrix[:, -1].sum() > whole:
        free = percent(matrix[:, -1].sum() / whole)
        return f"For {free} of {duration(whole)} of waiting, nobody is known to have held the GIL"
    name = fold(trace, of_holder, len(of_holder), heaviest_first=True).names[0]
    made, part = duration(int(of_holder[worst])), percent(of_holder[worst] / whole)
    return f"{name} made others wait {made}, {part} of all waiting"

"""Who hands the GIL to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from analysis.arrays import Int64s
from analysis.model import HANDOFF
from analysis.report.reservations import in_part

from ..style import HOLD, INK, MUTED, style
from ..text import elide, fit
from ..timeline.folding import fold

if TYPE_CHECKING:
    from analysis.tables.trace import Trace

_NAMED: Final = 5
"""Columns up to which they have names; else numbers."""

_SHADES: Final = LinearSegmentedColormap.from_list("handoffs", ["#FFFFFF", HOLD])


def handoff_matrix(trace: Trace, *, ax: Axes | None = None, max_threads: int = 10) -> Axes:
    """Draw how often the GIL went from one thread to another, as a matrix.

    How to read it: a row is who released it, a column who took it next. The diagonal is a thread that takes
    it again itself; all off the diagonal are real switches. Two dark cells beside the diagonal are two
    threads that take turns.

    Parameters
    ----------
    trace : Trace
    ax : matplotlib Axes, optional
        By default a figure of its own is made.
    max_threads : int
        Threads with the most handoffs have a row each; all others share one.

    Returns
    -------
    Axes
        With one image, whose data are the counts; cell (x, y) is centred on (x, y).
    """
    if ax is None:
        with style():
            figure = Figure()
            FigureCanvasAgg(figure)
            return handoff_matrix(
                trace, ax=figure.add_axes((0.29, 0.05, 0.68, 0.74)), max_threads=max_threads
            )
    counts, names = _counts(trace, max_threads)
    size = len(names)
    ax.imshow(
        counts if size else np.zeros((1, 1)),
        cmap=_SHADES,
        vmin=0,
        vmax=max(int(counts.max(initial=0)), 1),
        aspect="auto",
    )
    for row, column in np.argwhere(counts):
        count = int(counts[row, column])
        dark = count > 0.55 * counts.max()
        ax.text(column, row, f"{count:,}", ha="center", va="center", color="white" if dark else INK)
    if size <= _NAMED:
        ax.set_xticks(range(size), [elide(name, 14, 110) for name in names])
    else:  # there is no room for names above the columns
        names = [f"{name}   {number}" for number, name in enumerate(names, 1)]
        ax.set_xticks(range(size), [str(number) for number in range(1, size + 1)])
    ax.set_yticks(range(size), [elide(name, 14, 190) for name in names])
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("taken by", color=MUTED, labelpad=10)
    ax.set_ylabel("released by", color=MUTED, labelpad=12)
    if not size:
        ax.text(0.5, 0.5, "no handoffs", transform=ax.transAxes, ha="center", color=MUTED)
    switched = int(counts.sum() - np.trace(counts))
    title = f"{switched:,} of {int(counts.sum()):,} handoffs went to another thread"
    room = 72 * ax.get_window_extent().width / ax.figure.dpi
    title, points = fit(in_part(trace) + title, room, (24, 21, 18, 15, 12), "bold")
    ax.set_title(title, pad=16, size=points)
    return ax


def _counts(trace: Trace, most: int) -> tuple[Int64s, list[str]]:
    """Return the matrix, and the names of its rows; threads beyond `most` are summed up in the last one."""
    handoffs = trace.handoffs if trace.gils else np.zeros(0, HANDOFF)
    giver, taker = handoffs["from_thread"], handoffs["to_thread"]
    involved = np.bincount(giver, minlength=len(trace.threads)) + np.bincount(
        taker, minlength=len(trace.threads)
    )
    rows = fold(trace, involved, most)
    counts = np.zeros((rows.size, rows.size), np.int64)
    np.add.at(counts, (rows.place[giver], rows.place[taker]), 1)
    return counts, list(rows.names)

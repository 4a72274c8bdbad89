"""How long waits and holds are: one curve a thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

from analysis.arrays import Int64s
from analysis.measures.switch_interval import intervals_in
from analysis.model import State
from analysis.report.reservations import in_part

from ..style import FAINT, MUTED, owner_colours, style
from ..text import elide, printable
from ..timeaxis import duration

if TYPE_CHECKING:
    from analysis.tables.trace import Trace

_STATES: Final = {"waits": State.WAITING, "holds": State.HOLDING}
_POINTS: Final = 2048
"""A curve of more is drawn through so many of its steps: a step is then narrower than a pixel."""


def ecdf(
    trace: Trace, what: Literal["waits", "holds"] = "waits", *, ax: Axes | None = None, max_threads: int = 8
) -> Axes:
    """Draw which share of each thread's waits, or holds, is not longer than a time.

    How to read it: where a curve crosses 50 % is the median; a step at the switch interval (the dashed line)
    is what waits for a thread that computes look like. Time is logarithmic. One that the end of the recording
    cut counts with the length it had by then.

    Parameters
    ----------
    trace : Trace
    what : "waits" or "holds"
    ax : matplotlib Axes, optional
        By default a figure of its own is made.
    max_threads : int
        Only the threads that spend the longest time in it are drawn.

    Returns
    -------
    Axes
        With one line a thread; x is ns.
    """
    if ax is None:
        with style():
            figure = Figure()
            FigureCanvasAgg(figure)
            ax = ecdf(trace, what, ax=figure.add_axes((0.09, 0.12, 0.65, 0.76)), max_threads=max_threads)
            legend = ax.get_legend()
            if legend is not None:
                legend.set_loc("upper left")
                legend.set_bbox_to_anchor((1.02, 1.0))
            return ax
    found = _durations(trace, _STATES[what])
    longest = sorted(found, key=lambda thread: (-int(found[thread].sum()), thread))[:max_threads]
    threads = sorted(longest)
    for thread, colour in zip(threads, owner_colours(len(threads)), strict=True):
        durations = np.sort(found[thread])
        x = np.maximum(durations, 1)  # a logarithm has no place for 0
        ranks = np.arange(1, len(x) + 1)
        chosen = (
            np.arange(len(x)) if len(x) <= _POINTS else np.linspace(0, len(x) - 1, _POINTS).astype(np.intp)
        )
        ax.plot(
            np.concatenate([x[:1], x[chosen]]),
            np.concatenate([[0.0], ranks[chosen] / len(x)]),
            drawstyle="steps-post",
            color=colour,
            linewidth=2.2,
            label=f"{elide(printable(trace.threads[thread].name), 14, 130)} ({len(x):,})",
        )
    for interval in intervals_in(trace):
        ax.axvline(interval, color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 50 * low else (1,), numticks=12))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: duration(value)))
    ax.yaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}\N{NO-BREAK SPACE}%"))
    ax.set_ylim(-0.01, 1.02)
    ax.grid(color=FAINT)
    ax.set_xlabel(f"length of a {what[:-1]}")
    ax.set_ylabel(f"{what} not longer")
    ax.set_title(f"{in_part(trace)}How long threads {'wait for' if what == 'waits' else 'hold'} the GIL")
    if threads:
        ax.legend()
    else:
        ax.text(0.5, 0.5, f"no {what}", transform=ax.transAxes, ha="center", color=MUTED)
    return ax


def _durations(trace: Trace, state: State) -> dict[int, Int64s]:
    """Return the lengths of each thread's intervals in a state, ns; only threads that have any."""
    intervals = trace.intervals_by_column
    found = {}
    for thread in range(len(trace.threads)):
        mine = slice(intervals.first[thread], intervals.first[thread + 1])
        durations = intervals.duration[mine][intervals.state[mine] == state]
        if len(durations):
            found[thread] = durations
    return found

"""Lanes by CPU: who ran on which core.

How to read it: time runs to the right, a lane is a CPU. The colour tells the thread; the height what it did
about the GIL, as in the timeline: full has it, less than full computes without it, half is awake while it
waits for it. Where nothing is drawn, the CPU did something else, or nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from analysis.arrays import Table
from analysis.states import ON_A_CPU, STATES, State

from ..style import FAINT, INK, MUTED, OTHERS, OWNERS, owner_colours, style
from ..text import elide, percent, printable
from ..timeaxis import duration, set_time_axis
from .coverage import Intervals, Times, crowd, edges
from .lanes import Floats, _clipped, _steps, rectangles
from .window import PlotError, Window, window

if TYPE_CHECKING:
    from analysis.tables.trace import Trace

_DPI: Final = 150
_WIDTH: Final = 13.3  # inches: a slide
_HEIGHT: Final = 7.5
_LEFT: Final = 0.40
_LANES_LEFT: Final = 1.50
_LANES_RIGHT: Final = 12.20
_TOP: Final = 1.80
_BOTTOM: Final = 0.86
_FEW: Final = 0.25
"""Intervals a pixel column up to which they are drawn one by one."""

_HEIGHTS: Final = {state: STATES[state].look.height for state in (*ON_A_CPU, State.WAITING)}


def cpus(
    trace: Trace,
    *,
    ax: Axes | None = None,
    start: int | None = None,
    end: int | None = None,
    around: str | None = None,
    title: str | None = None,
) -> Axes:
    """Draw who ran on which CPU.

    Parameters
    ----------
    trace : Trace
        With OS scheduling.
    ax : matplotlib Axes, optional
        Draw only the lanes, into these; x counts ns since the trace's begin. By default a figure of its own
        is made, 13.3 x 7.5 inches, with a legend, and the share of the time that each CPU was busy with these
        threads.
    start, end : int, optional
        The window, ns since the trace's begin.
    around : str, optional
        "largest-wait", "largest-hold" or "largest-stall", or a time such as "12ms": what to zoom in on.
    title : str, optional
        Instead of the finding.

    Returns
    -------
    Axes
        With a lane a CPU, CPU 0 at the top; `.figure` is the figure.

    Raises
    ------
    PlotError
        If nothing was recorded of the scheduler, or there is nothing in the window.
    """
    if trace.scheduling is None:
        raise PlotError(f"{trace.path} has no scheduler events: it is not known who ran on which CPU")
    view = window(trace, start, end, around)
    rows = _visible(trace.cpu_intervals, view)
    lanes = sorted({*trace.scheduling.cpus, *rows["cpu"].tolist()} - {-1})
    colours = _colours(trace, rows)
    if ax is not None:
        _draw(ax, trace, view, rows, lanes, colours, max(1, round(ax.get_window_extent().width)))
        return ax
    with style():
        return _page(trace, view, rows, lanes, colours, title)


def _visible(table: Table, view: Window) -> Table:
    inside = (table["start"] < view.end) & (table["start"] + table["duration"] > view.start)
    visible: Table = table[inside]
    return visible


def _time(rows: Table, view: Window) -> Times:
    """Return how much of each interval is in the window, ns."""
    until = np.minimum(rows["start"] + rows["duration"], view.end)
    return np.asarray(until - np.maximum(rows["start"], view.start), np.int64)


def _colours(trace: Trace, rows: Table) -> dict[int, str]:
    """Give the threads that ran longest a colour each, in the order of the trace's threads."""
    time = np.bincount(rows["thread"], weights=rows["duration"], minlength=len(trace.threads))
    ranked = sorted(np.flatnonzero(time).tolist(), key=lambda thread: -time[thread])
    most = len(OWNERS) if len(ranked) <= len(OWNERS) else len(OWNERS) - 1
    chosen = sorted(ranked[:most])
    return dict(zip(chosen, owner_colours(len(chosen)), strict=True))


def _draw(
    axes: Axes,
    trace: Trace,
    view: Window,
    rows: Table,
    lanes: list[int],
    colours: dict[int, str],
    columns: int,
) -> None:
    at = edges(view.start, view.end, columns)
    heights = np.array([_HEIGHTS.get(state, STATES[State.NATIVE].look.height) for state in State])
    if not trace.gils:
        heights[:] = 1.0
    draw_exactly = len(rows) <= columns * _FEW
    for lane, cpu in enumerate(lanes):
        mine = rows[rows["cpu"] == cpu]
        if draw_exactly:
            _draw_exact(axes, trace, view, mine, lane, colours, heights)
        else:
            _draw_shares(axes, trace, mine, lane, colours, heights, at)
    axes.set_xlim(view.start - trace.begin, view.end - trace.begin)
    axes.set_ylim(len(lanes), 0)
    axes.set_yticks(np.arange(len(lanes)) + 0.5, [f"CPU {cpu}" for cpu in lanes])
    axes.tick_params(axis="y", length=0)
    set_time_axis(axes, view.start - trace.begin, view.end - trace.begin)


def _draw_exact(
    axes: Axes,
    trace: Trace,
    view: Window,
    rows: Table,
    lane: int,
    colours: dict[int, str],
    heights: Floats,
) -> None:
    if not len(rows):
        return
    left, right = _clipped(rows, trace.begin, view.start, view.end)
    half = 0.4 * heights[rows["state"]]
    axes.add_collection(
        PolyCollection(
            rectangles(left, right, lane + 0.5 - half, lane + 0.5 + half),  # type: ignore[arg-type]
            facecolors=to_rgba_array([colours.get(int(thread), OTHERS) for thread in rows["thread"]]),
            linewidths=0,
            snap=False,
            label="ran",
            zorder=2,
        ),
        autolim=False,
    )


def _draw_shares(
    axes: Axes,
    trace: Trace,
    rows: Table,
    lane: int,
    colours: dict[int, str],
    heights: Floats,
    at: Times,
) -> None:
    """Draw a lane as shares of pixel columns: a stack around the middle of each thread's time in each state.

    A column that is all one thread in one state looks as its polygon would.
    """
    x = (at - trace.begin).astype(np.float64)
    widths = np.diff(at)
    parts: list[tuple[str, Floats]] = []
    shown = np.isin(rows["thread"], np.array(list(colours), np.int64))
    for thread in [*colours, None]:
        of_thread = rows[rows["thread"] == thread] if thread is not None else rows[~shown]
        share = np.zeros(len(widths))
        for state in np.unique(of_thread["state"]):
            time = crowd(_as_one_state(of_thread[of_thread["state"] == state]), at, [State.RUNNING])[0]
            share = share + 0.8 * heights[state] * time / widths
        if share.any():
            parts.append((OTHERS if thread is None else colours[thread], share))
    level = lane + 0.5 + sum((share for _, share in parts), np.zeros(len(widths))) / 2
    shapes = []
    for _, share in parts:
        shapes.append(_steps(x, level - share, level))
        level = level - share
    axes.add_collection(
        PolyCollection(
            shapes,
            facecolors=[colour for colour, _ in parts],
            linewidths=0,
            snap=False,
            label="ran",
            zorder=2,
        ),
        autolim=False,
    )


def _as_one_state(rows: Table) -> Intervals:
    return Intervals(rows["start"], rows["duration"], np.full(len(rows), State.RUNNING, np.uint8))


def _page(
    trace: Trace, view: Window, rows: Table, lanes: list[int], colours: dict[int, str], title: str | None
) -> Axes:
    figure = Figure(figsize=(_WIDTH, _HEIGHT), dpi=_DPI)
    FigureCanvasAgg(figure)
    width = _LANES_RIGHT - _LANES_LEFT
    place = (
        _LANES_LEFT / _WIDTH,
        _BOTTOM / _HEIGHT,
        width / _WIDTH,
        (_HEIGHT - _TOP - _BOTTOM) / _HEIGHT,
    )
    axes = figure.add_axes(place, label="cpus")
    axes.spines[["left"]].set_visible(False)
    _draw(axes, trace, view, rows, lanes, colours, round(width * _DPI))
    axes.grid(axis="x", color=FAINT, zorder=0)
    busy = _time(rows, view)
    shares = [float(busy[rows["cpu"] == cpu].sum()) / view.span for cpu in lanes]
    for lane, share in enumerate(shares):
        axes.text(
            1.0 + 0.75 / width,
            lane + 0.5,
            percent(share),
            transform=axes.get_yaxis_transform(),
            ha="right",
            va="center_baseline",
            color=INK,
        )
    figure.text(
        (_LANES_RIGHT + 0.75) / _WIDTH,
        1 - 1.22 / _HEIGHT,
        "busy",
        ha="right",
        va="top",
        color=MUTED,
        weight="bold",
    )
    count = len(np.unique(rows["thread"]))
    finding = (
        f"{count} thread{'' if count == 1 else 's'} on {len(lanes)} CPU{'' if len(lanes) == 1 else 's'}:"
        f" {sum(shares):.1f} busy on average"
    )
    figure.text(
        _LEFT / _WIDTH,
        1 - 0.36 / _HEIGHT,
        printable(title or finding),
        size=25,
        weight="bold",
        va="top",
        gid="title",
    )
    figure.text(
        _LEFT / _WIDTH,
        1 - 0.84 / _HEIGHT,
        _subtitle(trace, view),
        size=14,
        color=MUTED,
        va="top",
        gid="subtitle",
    )
    _legend(figure, trace, rows, colours)
    return axes


def _subtitle(trace: Trace, view: Window) -> str:
    length = duration(trace.end - trace.begin)
    shown = length
    if not view.whole:
        shown = f"{duration(view.span)}, from {duration(view.start - trace.begin)} of {length}"
    heights = "full: has the GIL · lower: computes without it · half: awake while it waits"
    return f"{shown} · {heights}" if trace.gils else shown


def _legend(figure: Figure, trace: Trace, rows: Table, colours: dict[int, str]) -> None:
    several = len({trace.threads[thread].process for thread in colours}) > 1
    handles = []
    for thread, colour in colours.items():
        entry = trace.threads[thread]
        name = f"{entry.name} {trace.processes[entry.process].pid}" if several and entry.main else entry.name
        handles.append(Patch(facecolor=colour, linewidth=0, label=elide(printable(name), 11, 130)))
    if len(np.unique(rows["thread"])) > len(colours):
        handles.append(Patch(facecolor=OTHERS, linewidth=0, label="others"))
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(_LEFT / _WIDTH, 1 - 1.22 / _HEIGHT),
        ncols=min(len(handles), 6) or 1,
        borderpad=0,
        borderaxespad=0,
        handlelength=1.4,
        handletextpad=0.45,
        columnspacing=1.25,
        fontsize=12 if len(handles) <= 6 else 11,
        labelcolor=MUTED,
    )

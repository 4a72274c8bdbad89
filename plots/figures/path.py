"""The critical path: whose doing the program's end waited for, over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from analysis.arrays import Float64s, Int64s, Table
from analysis.report.reservations import in_part
from analysis.states import STATES, State
from analysis.why.chains.critical_path import CriticalPath, critical_path
from analysis.why.chains.wait_for import clip
from analysis.why.code.charges import overlap

from ..style import FAINT, MUTED, WAIT, style
from ..text import elide, fit, percent
from ..timeaxis import duration, set_time_axis
from ..timeline.folding import Folded, fold

if TYPE_CHECKING:
    from analysis.tables.trace import Trace

_MOST: Final = 12

TITLE_PAD: Final = 60
"""Points between lanes and title: two rows of keys."""

_COLUMNS: Final = 1600
"""Columns that the time is cut into; in each a row has the colour of what it did most."""
_HEIGHT, _GAP = 7, 3
_CONNECTED: Final = 300
"""Up to so many handoffs are drawn as lines."""
_SEEN: Final = 0.005


def path(trace: Trace, *, ax: Axes | None = None, max_threads: int = _MOST) -> Axes:
    """Draw the critical path to the end of the program.

    How to read it: at each moment one thread is on the path, the one whose doing all that comes later waits
    for; its row is coloured with what it did, paler where it was there for a part of that moment only. Where
    the path changes rows, one thread let another one go, that waited for it. A row that is long on the path
    is what to make faster; a program made faster elsewhere ends no sooner.

    Parameters
    ----------
    trace : Trace
    ax : matplotlib Axes, optional
        By default a figure of its own is made.
    max_threads : int
        Threads that are on the path longest have a row each; of the others none is drawn.

    Returns
    -------
    Axes
        x is ns since the trace's begin; row i is at y = i, from the top.
    """
    if ax is None:
        with style():
            figure = Figure()
            FigureCanvasAgg(figure)
            return _draw(trace, figure.add_axes((0.17, 0.12, 0.68, 0.66)), max_threads, -0.14 / 0.68)
    return _draw(trace, ax, max_threads, 0.0)


def _draw(trace: Trace, ax: Axes, max_threads: int, left: float) -> Axes:
    found = critical_path(trace)
    time = np.zeros(len(trace.threads), np.int64)
    did = found.steps[~found.steps["handoff"]]
    np.add.at(time, did["thread"], did["duration"])
    rows = fold(trace, time, max_threads)
    begin, end = found.begin - trace.begin, max(found.end - trace.begin, found.begin - trace.begin + 1)
    edges = np.linspace(found.begin, max(found.end, found.begin + 1), _COLUMNS + 1).astype(np.int64)
    image = np.ones((max(len(rows.shown), 1) * (_HEIGHT + _GAP), _COLUMNS, 4))
    image[..., 3] = 0
    seen: dict[State, int] = {}
    for row, thread in enumerate(rows.shown):
        top = row * (_HEIGHT + _GAP) + _GAP // 2
        image[top : top + _HEIGHT] = _row(trace, found.steps, thread, edges, seen)
    ax.imshow(
        image,
        extent=(begin, end, max(len(rows.shown), 1) - 0.5, -0.5),
        aspect="auto",
        interpolation="nearest",
        zorder=2,
    )
    _connect(ax, trace, found.steps, rows)
    _frame(ax, rows, time, found, (begin, end))
    handed = int(found.steps["duration"][found.steps["handoff"]].sum())
    _legend(ax, seen, handed, found.end - found.begin)
    room = 72 * (1.16 - left) * ax.get_window_extent().width / ax.figure.dpi
    said = in_part(trace) + _title(trace, found, time)
    title, points = fit(said, room, (24, 21, 18, 15, 12), "bold")
    ax.set_title(title, pad=TITLE_PAD, size=points, x=left)
    return ax


def _row(trace: Trace, steps: Table, thread: int, edges: Int64s, seen: dict[State, int]) -> Float64s:
    """Return the colours of a row, shape (columns, 4), and add up what is seen."""
    mine = steps[steps["thread"] == thread]
    did = mine[~mine["handoff"]]
    states = trace.states_by_column
    of = slice(int(states.first[thread]), int(states.first[thread + 1]))
    parts = np.zeros(of.stop - of.start, [("start", "<i8"), ("duration", "<i8"), ("state", "u1")])
    parts["start"], parts["duration"], parts["state"] = (
        states.start[of],
        states.duration[of],
        states.state[of],
    )
    parts = clip(parts, did["start"], did["start"] + did["duration"])
    kinds: list[tuple[str, Table]] = []
    for state in State:
        rows = parts[parts["state"] == state]
        if len(rows):
            seen[state] = seen.get(state, 0) + int(rows["duration"].sum())
            kinds.append((STATES[state].look.colour, rows))
    kinds.append((WAIT, mine[mine["handoff"]]))
    covered = np.array(
        [overlap(rows["start"], rows["start"] + rows["duration"], edges[:-1], edges[1:]) for _, rows in kinds]
    )
    colours = np.array([to_rgb(colour) for colour, _ in kinds])
    whole = covered.sum(axis=0)
    alpha = np.where(whole > 0, np.maximum(whole / np.maximum(np.diff(edges), 1), 0.15), 0)
    found: Float64s = np.concatenate([colours[covered.argmax(axis=0)], np.minimum(alpha, 1)[:, None]], axis=1)
    return found


def _connect(ax: Axes, trace: Trace, steps: Table, rows: Folded) -> None:
    turns = np.flatnonzero(steps["thread"][1:] != steps["thread"][:-1]) + 1
    if len(turns) > _CONNECTED:
        return
    place = {thread: row for row, thread in enumerate(rows.shown)}
    lines = [
        [
            (int(steps["start"][at]) - trace.begin, place[before]),
            (int(steps["start"][at]) - trace.begin, place[after]),
        ]
        for at in turns.tolist()
        for before, after in [(int(steps["thread"][at - 1]), int(steps["thread"][at]))]
        if before in place and after in place
    ]
    ax.add_collection(LineCollection(lines, colors=MUTED, linewidths=1.0, zorder=1))


def _frame(ax: Axes, rows: Folded, time: Int64s, found: CriticalPath, extent: tuple[int, int]) -> None:
    names = [elide(name, 14, 150) for name in rows.names[: len(rows.shown)]]
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(max(len(names), 4) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    set_time_axis(ax, *extent)
    ax.grid(axis="x", color=FAINT)
    ax.grid(axis="y", visible=False)
    whole = max(found.end - found.begin, 1)
    for row, thread in enumerate(rows.shown):
        text = f"{duration(int(time[thread]))}, {percent(time[thread] / whole)}"
        ax.annotate(
            text,
            (1, row),
            (8, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            color=MUTED,
            size=12,
            annotation_clip=False,
        )


def _legend(ax: Axes, seen: dict[State, int], handed: int, whole: int) -> None:
    keys = [
        Patch(facecolor=STATES[state].look.colour, label=STATES[state].label)
        for state, time in sorted(seen.items(), key=lambda item: -item[1])
        if time >= _SEEN * whole
    ]
    if handed >= _SEEN * whole > 0:
        keys.append(Patch(facecolor=WAIT, label="let go, on its way"))
    if keys:
        ax.legend(
            handles=keys[:8],
            loc="lower left",
            bbox_to_anchor=(-0.02, 1.0),
            ncols=4,
            borderaxespad=0.3,
            columnspacing=1.6,
            handlelength=1.4,
        )


def _title(trace: Trace, found: CriticalPath, time: Int64s) -> str:
    whole = found.end - found.begin
    if not whole or not time.any():
        return "Nothing is on the path"
    worst = int(time.argmax())
    name = fold(trace, time, 1, heaviest_first=True).names[0]
    return f"{percent(time[worst] / whole)} of the critical path of {duration(whole)} is {name}'s"

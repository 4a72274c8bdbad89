"""Lanes of one trace or several, on one time axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.axes import Axes

from analysis.model import State, Thread

from ..style import CPU_STATES, FAINT, INK, MUTED, StateStyle, style
from ..text import printable
from ..timeaxis import set_time_axis
from ..timeline import lanes
from ..timeline.legend import draw_legend
from ..timeline.rows import Row
from ..timeline.view import View
from ..timeline.window import Window

if TYPE_CHECKING:
    from analysis.tables.trace import Trace

    from .slide import Slide

_DPI: Final = 150
_TITLE: Final = 0.3  # inches above a group's lanes

_SEEN: Final = 0.004
"""Share of the time from which on a state is in the legend."""


@dataclass(frozen=True)
class Group:
    """Lanes that belong together: threads of one trace, from a time on.

    Attributes
    ----------
    start, end : int, ns
        What is drawn; `start` is where the common axis begins.
    """

    label: str
    trace: Trace
    threads: tuple[int, ...]
    start: int
    end: int
    names: tuple[str, ...] = ()
    note: str = ""


def threads_named(trace: Trace, prefix: str) -> list[Thread]:
    """Return the threads whose names begin so, as they began."""
    return [thread for thread in trace.threads if thread.name.startswith(prefix)]


def busiest(trace: Trace, count: int, start: int, end: int) -> list[int]:
    """Return the threads that had a CPU longest between two times, in the order of the trace."""
    time = np.zeros(len(trace.threads))
    rows = trace.intervals
    left = np.maximum(rows["start"], start)
    length = np.minimum(rows["start"] + rows["duration"], end) - left
    chosen = (length > 0) & np.isin(rows["state"], (State.RUNNING, State.NATIVE, State.HOLDING))
    np.add.at(time, rows["thread"][chosen], length[chosen])
    return sorted(np.argsort(-time, kind="stable")[:count].tolist())


def states_in(groups: Sequence[Group]) -> tuple[StateStyle, ...]:
    """Return the looks of the states that can be seen in some groups, each once."""
    found: dict[int, StateStyle] = {}
    with_gil = [group for group in groups if group.trace.gils]
    for group in [*with_gil, *groups]:
        view = View(group.trace, Window(group.start, group.end, False), 1)
        for each in view.styles:
            time = view.state_times[list(group.threads), each.state].sum()
            if time > _SEEN * (group.end - group.start):
                found.setdefault(each.state, each)
    order = [each.state for each in CPU_STATES]
    return tuple(sorted(found.values(), key=lambda each: order.index(each.state)))


def draw_groups(
    axes: Axes, groups: Sequence[Group], span: int, *, gap: float = 0.25, titled: bool = True
) -> list[list[Row]]:
    """Draw groups of lanes one below the other; x counts ns from each group's start. Return the lanes' rows.

    Parameters
    ----------
    axes : Axes
        Its height in inches is shared among the lanes.
    span : int, ns
        The length of the axis.
    gap : float, inches
        Between groups.
    titled : bool
        Write each group's label and note above its lanes; else only its threads' names beside them.
    """
    box = axes.get_window_extent()
    height = box.height / _DPI
    title = _TITLE if titled else 0.0
    count = sum(len(group.threads) for group in groups)
    lane = (height - gap * (len(groups) - 1) - title * len(groups)) / count
    axes.set_xlim(0, span)
    axes.set_ylim(height, 0)
    placed: list[list[Row]] = []
    y = 0.0
    for group in groups:
        if titled:
            _draw_title(axes, group, y + 0.5 * title)
            y += title
        rows = []
        for number, thread in enumerate(group.threads):
            name = group.names[number] if group.names else group.trace.threads[thread].name
            rows.append(Row("lane", printable(name), thread=thread, top=y, height=lane))
            y += lane
        _draw(axes, group, rows, round(box.width), span)
        placed.append(rows)
        y += gap
    every = [row for rows in placed for row in rows]
    axes.set_yticks([row.middle for row in every], [row.label for row in every])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    set_time_axis(axes, 0, span)
    axes.grid(axis="x", color=FAINT, zorder=0)
    return placed


def _draw_title(axes: Axes, group: Group, y: float) -> None:
    axes.text(0, y, printable(group.label), color=INK, weight="bold", va="center_baseline")
    axes.text(
        1,
        y,
        printable(group.note),
        color=MUTED,
        va="center_baseline",
        ha="right",
        transform=axes.get_yaxis_transform(),
    )


def _draw(axes: Axes, group: Group, rows: Sequence[Row], columns: int, span: int) -> None:
    end = min(group.end, group.start + span)
    wide = max(1, round(columns * (end - group.start) / span))
    view = View(group.trace, Window(group.start, end, False), wide)
    alive = [row for row in rows if row.thread in view.alive]
    exact = [(row, view.drawn.rows(row.thread)) for row in alive if view.is_exact(row.thread)]
    shares = [(row, view.lane(row.thread)) for row in alive if not view.is_exact(row.thread)]
    lanes.draw_exact(axes, exact, group.start, group.start, end, view.pixel, view.styles)
    lanes.draw_shares(axes, shares, view.edges, group.start, view.styles)
    lanes.draw_unknown(axes, exact, group.start, group.start, end)


def draw_keys(slide: Slide, styles: Sequence[StateStyle], left: float = 0.45) -> None:
    """Draw the legend of lanes below the head, and take its room from what is left."""
    with style():
        y = slide.top - 0.1
        rare = {each.label for each in styles if each.rare}
        limit = 72 * (slide.width - left - 0.45)
        legend = draw_legend(slide.figure, left / slide.width, y / slide.height, rare, limit, styles, 14.0)
    slide.top = y - legend.get_window_extent().height / _DPI

"""What a close-up shows besides states: handoffs, drop requests, timeouts, and ends that were not clean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.patches import FancyArrowPatch, Rectangle

from analysis.arrays import Table
from analysis.model import HANDOFF, State
from analysis.reader.format import Event

from ...style import ALARM, DROP_REQUEST, INK, STATES
from ..coverage import Times, Visible
from ..lanes import bar
from ..rows import Row
from ..window import Window

if TYPE_CHECKING:
    from analysis.tables.trace import Trace

ARROWS: Final = 48
"""So many handoffs at most are drawn as arrows: more would hide what they connect."""

REQUESTS: Final = 120
TIMEOUTS: Final = 240


_CORNER: Final = 0.11  # inches


def switches(intervals: Table) -> Table:
    """Return the handoffs between visible intervals that gave the GIL to a thread which waited for it.

    A release with nobody waiting hands nothing over: the lock lies free until somebody comes.

    Parameters
    ----------
    intervals : INTERVAL array
        All visible ones, in any order. A close-up has few: `Trace.handoffs` would be made of all that a long
        trace has.

    Returns
    -------
    HANDOFF array
        In order of time; `requested` is not told.
    """
    found = [np.zeros(0, HANDOFF)]
    for gil in np.unique(intervals["gil"][intervals["state"] == State.HOLDING]):
        about = intervals[intervals["gil"] == gil]
        holds = np.sort(about[about["state"] == State.HOLDING], order=["start"])
        waits = about[about["state"] == State.WAITING]
        waiting_since = {(int(w["thread"]), int(w["start"] + w["duration"])): int(w["start"]) for w in waits}
        pairs = np.zeros(max(len(holds) - 1, 0), HANDOFF)
        pairs["released"] = holds["start"][:-1] + holds["duration"][:-1]
        pairs["acquired"] = holds["start"][1:]
        pairs["gil"] = gil
        pairs["from_thread"] = holds["thread"][:-1]
        pairs["to_thread"] = holds["thread"][1:]
        pairs["contended"] = [
            waiting_since.get((int(p["to_thread"]), int(p["acquired"])), p["acquired"]) <= p["released"]
            for p in pairs
        ]
        found.append(pairs[pairs["contended"] & (pairs["from_thread"] != pairs["to_thread"])])
    return np.sort(np.concatenate(found), order=["released"])


def draw_arrows(axes: Axes, handoffs: Table, lanes: Mapping[int, Row], origin: int) -> int:
    """Draw an arrow from lane to lane for each handoff; return how many there are."""
    drawn = 0
    for handoff in handoffs:
        giver = lanes.get(int(handoff["from_thread"]))
        taker = lanes.get(int(handoff["to_thread"]))
        if giver is None or taker is None:
            continue
        down = giver.top < taker.top
        axes.add_patch(
            FancyArrowPatch(
                (float(handoff["released"] - origin), giver.bar[1 if down else 0]),
                (float(handoff["acquired"] - origin), taker.bar[0 if down else 1]),
                arrowstyle="-|>,head_length=5,head_width=2.4",
                mutation_scale=1,
                shrinkA=0,
                shrinkB=0,
                linewidth=1.1,
                color=INK,
                zorder=4,
                label="handoff",
            )
        )
        drawn += 1
    return drawn


def events(trace: Trace, window: Window, kind: Event, threads: Iterable[int]) -> dict[int, Times]:
    """Return when each of these threads had an event of a kind, within the window."""
    columns = trace.columns
    found = {}
    for thread in threads:
        low, high = columns.first[thread], columns.first[thread + 1]
        first, last = np.searchsorted(columns.time[low:high], [window.start, window.end]) + low
        found[thread] = columns.time[first:last][columns.kind[first:last] == kind]
    return found


def requests(trace: Trace, window: Window, threads: Iterable[int]) -> dict[int, Times]:
    """Return when each of these threads, within the window, released the GIL because it was asked to."""
    found = {thread: np.zeros(0, np.int64) for thread in threads}
    for gil in trace.gils:
        holds = trace.holds(gil)
        first, last = np.searchsorted(holds.released, [window.start, window.end])
        asked = np.flatnonzero(holds.requested[first:last]) + first
        for thread in found:
            mine = asked[holds.thread[asked] == thread]
            found[thread] = np.concatenate([found[thread], holds.released[mine]])
    return found


def draw_requests(
    axes: Axes, times: Mapping[int, Times], lanes: Mapping[int, Row], seen: Visible, origin: int, inch: float
) -> int:
    """Turn down the corner of each hold whose release answered a drop request; return how many.

    The x axis counts ns since `origin`; `inch` is how many of them an inch is.
    """
    corners = []
    for thread, requests in times.items():
        rows = seen.columns(thread)
        for released in requests:
            at = int(np.searchsorted(rows.start + rows.duration, released))
            if at >= len(rows.start) or rows.state[at] != State.HOLDING:
                continue
            wide = min(_CORNER * inch, float(rows.duration[at]))
            right, top = float(released - origin), lanes[thread].bar[0]
            corners.append([(right, top), (right - wide, top), (right, top + _CORNER)])
    if corners:
        axes.add_collection(
            PolyCollection(corners, facecolors=DROP_REQUEST, linewidths=0, zorder=3, label="drop request"),
            autolim=False,
        )
    return len(corners)


def draw_focus(axes: Axes, focus: tuple[int, int, int], lanes: Mapping[int, Row], origin: int) -> None:
    """Frame the interval that the figure is about."""
    thread, start, end = focus
    if thread not in lanes:
        return
    top, bottom = bar(lanes[thread], 1.0)
    axes.add_patch(
        Rectangle(
            (start - origin, top),
            end - start,
            bottom - top,
            facecolor="none",
            edgecolor=INK,
            linewidth=1.6,
            linestyle=(0, (4, 2)),
            zorder=3.5,
            label="focus",
        )
    )


def draw_timeouts(axes: Axes, times: Mapping[int, Times], lanes: Mapping[int, Row], origin: int) -> int:
    """Notch the waits where a switch interval had passed; return how many notches there are."""
    wait = next(style for style in STATES if style.label.startswith("waits"))
    lines = []
    for thread, stamps in times.items():
        top, bottom = bar(lanes[thread], wait.height)
        lines += [[(float(t - origin), top), (float(t - origin), bottom)] for t in stamps]
    if lines:
        axes.add_collection(
            LineCollection(lines, colors="white", linewidths=1.3, zorder=2.5, label="switch interval passed"),
            autolim=False,
        )
    return len(lines)


def draw_ends(axes: Axes, trace: Trace, window: Window, lanes: Sequence[Row], origin: int) -> int:
    """Mark lanes that were cut: the process was killed, or its recording failed; return how many."""
    cut = [
        (float(trace.threads[row.thread].end - origin), row.middle)
        for row in lanes
        if trace.processes[row.process].ended in ("killed", "failed")
        and trace.threads[row.thread].end == trace.processes[row.process].end
        and trace.threads[row.thread].end <= window.end
    ]
    if cut:
        axes.plot(
            [x for x, _ in cut],
            [y for _, y in cut],
            linestyle="none",
            marker="x",
            markersize=9,
            markeredgewidth=2.2,
            color=ALARM,
            zorder=6,
            clip_on=False,
            label="cut",
        )
    return len(cut)

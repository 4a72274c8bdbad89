"""Handoffs: who let go of a GIL, who took it next, and how long that took."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...arrays import Bools, Int32s, Int64s, Table, without
from ...dtypes import HANDOFF
from ...model import State
from ...reader.format import Event
from ..columns import Columns
from .intervals import Intervals

_AT_ONCE = 3
"""Holds that may end in one nanosecond: two threads can't pass the lock on faster."""

_RELEASED, _REQUESTED, _ACQUIRED = np.uint8(1), np.uint8(2), np.uint8(4)


@dataclass(frozen=True)
class Holds:
    """The holds of one GIL in the order of the lock, by column.

    Attributes
    ----------
    acquired, released : ndarray of int64
        ns. A hold whose acquire was not seen (it was before the recording) has acquired == released.
    thread : ndarray of int32
    acquire_seen, release_seen, requested : ndarray of bool
        requested: the release answered a drop request; `holds_of` tells where one was found, see `requests`.
    """

    acquired: Int64s
    released: Int64s
    thread: Int32s
    acquire_seen: Bools
    release_seen: Bools
    requested: Bools

    def handed_on(self) -> Bools | slice:
        """Return which holds, of all but the last, are followed by a handoff: both of its ends were seen."""
        handed = self.release_seen[:-1] & self.acquire_seen[1:]
        return slice(None) if handed.all() else handed


def holds_of(columns: Columns, intervals: Intervals, holding: Int64s, unseen: Int64s) -> Holds:
    """Return the holds of one GIL.

    Parameters
    ----------
    holding : ndarray of int64
        Positions of its HOLDING intervals, sorted.
    unseen : ndarray of int64
        Those of intervals that begin with a release whose acquire was not seen: see `first_releases`.
    """
    acquired = intervals.start[holding]
    released = acquired + intervals.duration[holding]
    seen = intervals.kind_after(holding) == Event.GIL_RELEASED
    asked = _requested(columns, intervals, np.minimum(holding + 1, len(intervals.event) - 1))
    flags = seen | ((seen & asked) * _REQUESTED) | _ACQUIRED
    thread = intervals.thread_of(holding)
    if len(unseen):
        start = intervals.start[unseen]
        acquired, released = np.append(acquired, start), np.append(released, start)
        flags = np.append(flags, _RELEASED | (_requested(columns, intervals, unseen) * _REQUESTED))
        thread = np.append(thread, intervals.thread_of(unseen))
    if not (acquired[1:] > acquired[:-1]).all():
        order = np.argsort(acquired, kind="stable")
        in_order = acquired[order]
        if (in_order[1:] == in_order[:-1]).any():  # a hold of no length is before one that begins then
            order = np.lexsort(((flags & _RELEASED) == 0, released, acquired))
        acquired, released = in_order, released[order]
        flags, thread = flags[order], thread[order]
    acquire_seen, release_seen, requested = (
        (flags & flag) != 0 for flag in (_ACQUIRED, _RELEASED, _REQUESTED)
    )
    return Holds(acquired, released, thread, acquire_seen, release_seen, requested)


def _requested(columns: Columns, intervals: Intervals, releases: Int64s) -> Bools:
    """Return which of the intervals that begin with a release begin with one that was asked for."""
    following = np.minimum(intervals.event[releases] + 1, len(columns.kind) - 1)
    requested: Bools = columns.kind[following] == Event.GIL_DROP_REQUESTED
    return requested


def first_releases(intervals: Intervals) -> Int64s:
    """Return the intervals that begin with a release whose acquire was not seen."""
    after = np.flatnonzero(intervals.state == State.UNKNOWN) + 1
    after = without(after, intervals.first)
    unseen: Int64s = after[intervals.kind[after] == Event.GIL_RELEASED]
    return unseen


def handoff_table(gil: int, holds: Holds, wait_begin: Int64s, wait_end: Int64s) -> Table:
    """Return the HANDOFF table of one GIL.

    Parameters
    ----------
    wait_begin, wait_end : ndarray of int64
        When at least one thread waited for this GIL: `someone_waits`.
    """
    handed = holds.handed_on()
    giver, taker = holds.thread[:-1][handed], holds.thread[1:][handed]
    table = np.empty(len(giver), HANDOFF)
    table["released"] = holds.released[:-1][handed]
    table["acquired"] = holds.acquired[1:][handed]
    table["gil"] = gil
    table["from_thread"] = giver
    table["to_thread"] = taker
    table["requested"] = holds.requested[:-1][handed]
    table["contended"] = _within(holds.released[:-1][handed], wait_begin, wait_end)
    return table


def _within(time: Int64s, begin: Int64s, end: Int64s) -> Bools:
    """Return which times lie in one of the stretches, both bounds included."""
    if not len(begin):
        return np.zeros(len(time), bool)
    at = np.searchsorted(begin, time, "right") - 1
    return (at >= 0) & (time <= end[at])


def frames_of_holds(holds: Holds, thread: Int64s, time: Int64s, frame: Int32s) -> Int32s:
    """Return for each hold the frame that was told of its release, -1: none was.

    Parameters
    ----------
    thread, time, frame : ndarray
        Of each release that a frame was told of: whose it was, when, and the frame.
    """
    frames = np.full(len(holds.released), -1, np.int32)
    # Holds don't overlap, so releases are in order; only one of no length has a neighbour's time.
    at = np.searchsorted(holds.released, time)
    for _ in range(_AT_ONCE):
        inside = at < len(frames)
        at, thread, time, frame = at[inside], thread[inside], time[inside], frame[inside]
        mine = (holds.thread[at] == thread) & (holds.released[at] == time)
        frames[at[mine]] = frame[mine]
        at, thread, time, frame = at[~mine] + 1, thread[~mine], time[~mine], frame[~mine]
    return frames


def holds_at(holds: Holds, time: Int64s) -> tuple[Int64s, Bools]:
    """Return for each time the hold that had begun last, and whether it lasted then."""
    if not len(holds.acquired):
        return np.zeros(len(time), np.int64), np.zeros(len(time), bool)
    at = np.searchsorted(holds.acquired, time, "right") - 1
    inside = (at >= 0) & (time <= holds.released[at])
    return np.maximum(at, 0), inside

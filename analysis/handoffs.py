"""Handoffs: who let go of a GIL, who took it next, and how long that took."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .arrays import Bools, Int64s, Table
from .columns import Columns
from .format import Event
from .intervals import Intervals
from .model import HANDOFF, State
from .waits import someone_waits


@dataclass(frozen=True)
class Holds:
    """The holds of one GIL in the order of the lock, by column.

    Attributes
    ----------
    acquired, released : ndarray of int64
        ns. A hold whose acquire was not seen (it was before the recording) has acquired == released.
    thread : ndarray of int64
    acquire_seen, release_seen, requested : ndarray of bool
        requested: the release answered a drop request.
    """

    acquired: Int64s
    released: Int64s
    thread: Int64s
    acquire_seen: Bools
    release_seen: Bools
    requested: Bools


def holds_of(columns: Columns, intervals: Intervals, positions: Int64s) -> Holds:
    """Return the holds among these intervals (all of one GIL, in order of thread and time).

    Parameters
    ----------
    positions : ndarray of int64
        HOLDING intervals, and RELEASED ones that follow an unseen acquire: see `first_releases`.
    """
    is_hold = intervals.state[positions] == State.HOLDING
    following = np.minimum(positions + 1, len(intervals.event) - 1)
    release = np.where(is_hold, following, positions)
    released = columns.kind[intervals.event[release]] == Event.GIL_RELEASED
    acquired = intervals.start[positions]
    end = np.where(is_hold, acquired + intervals.duration[positions], acquired)
    if len(intervals.first) > 2:  # the interval that follows the last hold of a thread is another thread's
        released &= ~is_hold | ~np.isin(positions, intervals.first[1:] - 1, assume_unique=True)
    elif len(positions):
        released[-1] &= bool(~is_hold[-1] | (positions[-1] != intervals.first[1] - 1))
    requested = released & (intervals.within[release] > 0)
    thread = intervals.thread_of(positions)
    order = np.argsort(acquired, kind="stable")
    if (
        len(order) and (np.diff(acquired[order]) == 0).any()
    ):  # a hold of no length is before one that begins then
        order = np.lexsort((end, acquired))
    return Holds(
        acquired[order], end[order], thread[order], is_hold[order], released[order], requested[order]
    )


def first_releases(columns: Columns, intervals: Intervals) -> Int64s:
    """Return the intervals that begin with a release whose acquire was not seen."""
    after = np.flatnonzero(intervals.state == State.UNKNOWN) + 1
    after = after[after < len(intervals.state)]
    after = np.setdiff1d(after, intervals.first[:-1])
    unseen: Int64s = after[columns.kind[intervals.event[after]] == Event.GIL_RELEASED]
    return unseen


def handoff_table(gil: int, holds: Holds, wait_begin: Int64s, wait_end: Int64s) -> Table:
    """Return the HANDOFF table of one GIL.

    Parameters
    ----------
    wait_begin, wait_end : ndarray of int64
        When at least one thread waited for this GIL: `someone_waits`.
    """
    seen = holds.release_seen[:-1] & holds.acquire_seen[1:]
    table = np.empty(int(np.count_nonzero(seen)), HANDOFF)
    every = bool(seen.all())

    def pick(column: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        return column if every else column[seen]

    table["released"] = pick(holds.released[:-1])
    table["acquired"] = pick(holds.acquired[1:])
    table["gil"] = gil
    table["from_thread"] = pick(holds.thread[:-1])
    table["to_thread"] = pick(holds.thread[1:])
    table["requested"] = pick(holds.requested[:-1])
    table["contended"] = _within(table["released"], wait_begin, wait_end)
    return table


def _within(time: Int64s, begin: Int64s, end: Int64s) -> Bools:
    """Return which times lie in one of the stretches, both bounds included."""
    if not len(begin):
        return np.zeros(len(time), bool)
    at = np.searchsorted(begin, time, "right") - 1
    return (at >= 0) & (time <= end[at])


__all__ = ["Holds", "first_releases", "handoff_table", "holds_of", "someone_waits"]

"""The holds of each GIL, in the order of the lock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...arrays import Bools, Int32s, Int64s
from ...fold.briefly import FOUND
from ...model import Gil, State
from ...reader.format import Event
from ...tables.gil import requests
from ...tables.gil.handoffs import Holds
from .intervals import RecordedIntervals


@dataclass(frozen=True)
class LockOrder:
    """The holds of one GIL in the order of the lock, those whose acquire was seen."""

    gil: Gil
    at: Int32s | Int64s
    """Their intervals."""
    acquired: Int64s
    requested: Bools
    switches: int
    """How often it went from one thread to another."""

    def before(self, time: Int64s) -> Int64s:
        """Return which hold began last before each time; -1: none."""
        found: Int64s = np.searchsorted(self.acquired, time, "left") - 1
        return found


def order_of(intervals: RecordedIntervals, gil: Gil) -> LockOrder:
    """Return the holds of a GIL in its order."""
    at = _sorted(intervals, _holding(intervals, gil))
    holds = _holds(intervals, gil, at)
    requested = requests.requested(holds, *intervals.timed_waits(gil), _trusted_until(intervals, gil))
    handed = holds.handed_on()
    switches = int(np.count_nonzero((holds.thread[:-1] != holds.thread[1:])[handed]))
    seen = holds.acquire_seen
    if not seen.all():
        requested = requested[seen]
    return LockOrder(gil, at, intervals.start[at], requested, switches)


def _holding(intervals: RecordedIntervals, gil: Gil) -> Int32s | Int64s:
    at = np.flatnonzero(intervals.state == State.HOLDING)
    if len(intervals.trace.gils) > 1:
        at = at[intervals.brief.gil[at] == gil.index]
    return at.astype(np.int32) if len(intervals.start) <= np.iinfo(np.int32).max else at


def _sorted(intervals: RecordedIntervals, at: Int32s | Int64s) -> Int32s | Int64s:
    """Return holds in the order of the lock."""
    acquired = intervals.start[at]
    if (acquired[1:] > acquired[:-1]).all():
        return at
    order = np.argsort(acquired, kind="stable")
    in_order = acquired[order]
    if (in_order[1:] == in_order[:-1]).any():  # a hold of no length is before one that begins then
        order = np.lexsort((intervals.end_of(at), acquired))
    return at[order]


def _holds(intervals: RecordedIntervals, gil: Gil, at: Int32s | Int64s) -> Holds:
    """Return the holds as `tables.gil.handoffs` has them; `requested` is where one was found."""
    following = np.minimum(at + 1, len(intervals.start) - 1)
    after = np.where(intervals.last[at], np.uint8(0), intervals.brief.kind[following])
    released = (after & (FOUND - 1)) == Event.GIL_RELEASED
    found = after == Event.GIL_RELEASED | FOUND
    acquired, until = intervals.start[at], intervals.end_of(at)
    thread = intervals.thread_of(at).astype(np.int32)
    unseen = _unseen(intervals, gil)
    if not len(unseen):
        return Holds(acquired, until, thread, np.ones(len(at), bool), released, found)
    begin = intervals.start[unseen]
    seen = np.append(np.ones(len(at), bool), np.zeros(len(unseen), bool))
    acquired, until = np.append(acquired, begin), np.append(until, begin)
    thread = np.append(thread, intervals.thread_of(unseen).astype(np.int32))
    released = np.append(released, np.ones(len(unseen), bool))
    found = np.append(found, intervals.brief.kind[unseen] == Event.GIL_RELEASED | FOUND)
    order = np.argsort(acquired, kind="stable")
    in_order = acquired[order]
    if (in_order[1:] == in_order[:-1]).any():
        order = np.lexsort((~released, until, acquired))
    return Holds(acquired[order], until[order], thread[order], seen[order], released[order], found[order])


def _unseen(intervals: RecordedIntervals, gil: Gil) -> Int64s:
    """Return the intervals that begin with a release whose acquire was not seen."""
    after = np.flatnonzero(intervals.state == State.UNKNOWN) + 1
    after = after[after < len(intervals.start)]
    after = after[~np.isin(after, intervals.first)]
    after = after[(intervals.brief.kind[after] & (FOUND - 1)) == Event.GIL_RELEASED]
    mine: Int64s = after[intervals.brief.gil[after] == gil.index]
    return mine


def _trusted_until(intervals: RecordedIntervals, gil: Gil) -> int:
    process = intervals.trace.processes[gil.process]
    if process.version >= requests.OWN_REQUESTS:
        return intervals.trace.end
    threads = intervals.trace.threads_of(process)
    first, last = intervals.first[threads.start], intervals.first[threads.stop]
    unknown = np.flatnonzero(intervals.state[first:last] == State.UNKNOWN) + first
    return int(intervals.end_of(unknown).max(initial=0))

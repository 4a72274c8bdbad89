"""Waits: every time a thread asked for a GIL and found it held."""

from __future__ import annotations

import numpy as np

from ...arrays import Bytes, Int32s, Int64s, Table, distinct
from ...dtypes import WAIT, Outcome
from ...reader.format import Event
from ..columns import Columns
from .intervals import Intervals


def wait_table(columns: Columns, intervals: Intervals, gil: Int32s) -> Table:
    """Return the WAIT table; `gil` are the trace-wide indices of the events' GILs."""
    at = intervals.waiting
    table = np.empty(len(at), WAIT)
    table["start"] = intervals.start[at]
    table["duration"] = intervals.duration[at]
    table["thread"] = intervals.thread_of(at)
    table["gil"] = gil[intervals.event[at]]
    table["timeouts"] = timeouts(columns, intervals, at)
    table["outcome"] = outcomes(intervals, at)
    return table


def timeouts(columns: Columns, intervals: Intervals, at: Int64s) -> Int64s:
    """Count the switch intervals that passed in the waits at these positions.

    Nothing else is between the events of a wait but, seldom, bookkeeping.
    """
    begin = intervals.event[at]
    end = np.append(intervals.event[1:], len(columns.kind))
    end[intervals.first[1:] - 1] = columns.first[1:]
    end = end[at]
    other = np.flatnonzero(columns.kind >= Event.THREAD_START)
    count: Int64s = end - begin - 1 - (np.searchsorted(other, end) - np.searchsorted(other, begin))
    return count


def outcomes(intervals: Intervals, at: Int64s) -> Bytes:
    """Return how the waits at these positions ended: what the thread did next says it."""
    kind = intervals.kind_after(at)
    outcome = np.full(len(at), Outcome.UNFINISHED, np.uint8)
    outcome[kind == Event.GIL_ACQUIRED] = Outcome.ACQUIRED
    outcome[kind == Event.GIL_ABANDONED] = Outcome.ABANDONED
    return outcome


def someone_waits(start: Int64s, end: Int64s) -> tuple[Int64s, Int64s]:
    """Return the stretches of time in which at least one of these waits goes on: their begins and ends.

    Sorted on their own, the n-th start comes before the (n-1)-th end exactly if somebody still waits then.
    """
    start, end = np.sort(start, kind="stable"), np.sort(end, kind="stable")
    if not len(start):
        return start, end
    pause = np.flatnonzero(start[1:] > end[:-1])
    return np.append(start[:1], start[pause + 1]), np.append(end[pause], end[-1:])


def waiters_at(start: Int64s, end: Int64s, time: Int64s) -> Int64s:
    """Return for each time how many of the waits start … end there were then."""
    begun = np.searchsorted(np.sort(start), time, "right")
    over = np.searchsorted(np.sort(end), time, "right")
    waiters: Int64s = begun - over
    return waiters


def waited_by(waits: Table, thread: Int64s, time: Int64s) -> Int64s:
    """Return for how long a thread had waited by a time, for each of some moments, ns."""
    start, until = waits["start"], waits["start"] + waits["duration"]
    before = np.concatenate([[0], np.cumsum(waits["duration"])])
    result = np.zeros(len(thread), np.int64)
    for each in distinct(thread).tolist():
        mine = thread == each
        low, high = np.searchsorted(waits["thread"], [each, each + 1]).tolist()
        at = low + np.searchsorted(start[low:high], time[mine], "left")  # the next wait
        goes_on = np.where(at > low, until[np.maximum(at, 1) - 1] - time[mine], 0) if high > low else 0
        result[mine] = before[at] - before[low] - np.maximum(goes_on, 0)
    return result

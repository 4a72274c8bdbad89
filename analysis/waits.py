"""Waits: every time a thread asked for a GIL and found it held."""

from __future__ import annotations

import numpy as np

from .arrays import Bytes, Int32s, Int64s, Table
from .columns import Columns
from .format import Event
from .intervals import Intervals
from .model import WAIT, Outcome, State


def wait_table(columns: Columns, intervals: Intervals, gil: Int32s) -> Table:
    """Return the WAIT table; `gil` are the trace-wide indices of the events' GILs."""
    at = np.flatnonzero(intervals.state == State.WAITING)
    table = np.empty(len(at), WAIT)
    table["start"] = intervals.start[at]
    table["duration"] = intervals.duration[at]
    table["thread"] = intervals.thread_of(at)
    table["gil"] = gil[intervals.event[at]]
    table["timeouts"] = intervals.within[at]
    table["outcome"] = outcomes(columns, intervals, at)
    return table


def outcomes(columns: Columns, intervals: Intervals, at: Int64s) -> Bytes:
    """Return how the waits at these positions ended: what the thread did next says it."""
    following = np.minimum(at + 1, len(intervals.event) - 1)
    kind = columns.kind[intervals.event[following]] if len(at) else np.empty(0, np.uint8)
    outcome = np.where(kind == Event.GIL_ACQUIRED, Outcome.ACQUIRED, Outcome.UNFINISHED).astype(np.uint8)
    outcome[kind == Event.GIL_ABANDONED] = Outcome.ABANDONED
    last_of_thread = np.isin(at, intervals.first[1:] - 1, assume_unique=True)
    outcome[last_of_thread] = Outcome.UNFINISHED
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

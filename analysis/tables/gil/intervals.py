"""Events → intervals: what each thread did about the GIL, from its first moment to its last.

The intervals of a thread tile its life. They are kept by column first (`Intervals`): statistics over ten
million events are a matter of memory traffic.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...arrays import Bools, Bytes, Int32s, Int64s, Table, without
from ...dtypes import INTERVAL
from ...model import State
from ...reader.format import Event
from ...reader.streams.grammar import LOST
from ..columns import Columns, first_gil_events

_BEGINS = {
    Event.GIL_RELEASED: State.RELEASED,
    Event.GIL_ABANDONED: State.RELEASED,
    Event.THREAD_START: State.RELEASED,
    Event.GIL_WAIT: State.WAITING,
    Event.GIL_ACQUIRED: State.HOLDING,
}
_IS_BEGIN = bytes(kind == LOST or kind in set(_BEGINS) for kind in range(256))
_STATE_AFTER = bytes(_BEGINS.get(Event(kind), 0) if kind in set(Event) else 0 for kind in range(256))


@dataclass(frozen=True)
class Intervals:
    """Intervals by column, sorted by (thread, start).

    Attributes
    ----------
    start, duration : ndarray of int64
        ns.
    kind, state : ndarray of uint8
        The kind of the event that began the interval; `State`.
    event : ndarray of int64
        Position in `Columns` of the event that began the interval.
    first : ndarray of int64, shape (threads + 1,)
        Thread i has the intervals first[i] to first[i + 1].
    """

    start: Int64s
    duration: Int64s
    kind: Bytes
    state: Bytes
    event: Int64s
    first: Int64s

    @cached_property
    def waiting(self) -> Int64s:
        """Positions of the WAITING intervals."""
        return np.flatnonzero(self.state == State.WAITING)

    @cached_property
    def holding(self) -> Int64s:
        """Positions of the HOLDING intervals."""
        return np.flatnonzero(self.state == State.HOLDING)

    def thread_of(self, position: Int64s) -> Int32s:
        """Return the threads of intervals at these positions, which are in order."""
        threads = np.arange(len(self.first) - 1, dtype=np.int32)
        return np.repeat(threads, np.diff(np.searchsorted(position, self.first)))

    def kind_after(self, position: Int64s) -> Bytes:
        """Return the kinds of the events that ended the intervals at these positions, which are in order.

        LOST where nothing did: at a thread's end.
        """
        kind = np.append(self.kind[1:], np.uint8(LOST))[position]
        last = self.first[1:] - 1
        at = np.searchsorted(position, last)
        at, last = at[at < len(position)], last[at < len(position)]
        kind[at[position[at] == last]] = LOST
        return kind


def make_intervals(columns: Columns) -> Intervals:
    """Return what the events say, as intervals.

    A thread's life up to its first event is RELEASED if it was seen to begin, else UNKNOWN: before the
    recording began, or between a fork and the child's first event, it may have held the GIL or waited for it.
    """
    kind = columns.kind
    # bytes.translate looks up three times as fast as an index does.
    begins = np.frombuffer(bytearray(kind.tobytes().translate(_IS_BEGIN)), bool)
    unknown = _drop_empty_beginnings(columns, begins)
    event = np.flatnonzero(begins)
    bounds = np.searchsorted(event, columns.first)
    opening, last = bounds[:-1], bounds[1:] - 1  # every thread has an interval

    began = kind[event]
    state = np.frombuffer(bytearray(began.tobytes().translate(_STATE_AFTER)), np.uint8)
    state[opening[unknown & (began[opening] == Event.THREAD_START)]] = State.UNKNOWN
    # Known from the scheduler alone: it never touched a GIL.
    state[opening[(began[opening] == LOST) & ~columns.seen_alive]] = State.RELEASED
    start = columns.time[event]
    start[opening] = columns.begin
    duration = np.empty_like(start)
    np.subtract(start[1:], start[:-1], out=duration[:-1])
    duration[last] = columns.end - start[last]
    return Intervals(start, duration, began, state, event, bounds)


def _drop_empty_beginnings(columns: Columns, begins: Bools) -> Bools:
    """Return which threads begin with an unknown state, and have no beginning before what happens at once."""
    first = columns.first[:-1]
    gil_event = first_gil_events(columns)
    seen = gil_event < columns.first[1:]
    gil_kind = np.where(seen, columns.kind[np.minimum(gil_event, max(len(columns.kind) - 1, 0))], 0)
    asks = (gil_kind == Event.GIL_WAIT) | (gil_kind == Event.GIL_ACQUIRED)
    at_once = asks.copy()
    at_once[asks] = columns.time[gil_event[asks]] == columns.begin[asks]
    begins[first[at_once & (columns.kind[first] == Event.THREAD_START)]] = False
    forked = np.zeros(len(first), bool)
    forked[columns.thread_of(np.flatnonzero(columns.kind == Event.PROCESS_FORK))] = True
    unknown: Bools = columns.seen_alive | forked | ~(asks | (gil_kind == 0) | (gil_kind == Event.THREAD_EXIT))
    return unknown


def interval_table(columns: Columns, intervals: Intervals, gil: Int32s) -> Table:
    """Return the INTERVAL table; `gil` are the trace-wide indices of the events' GILs."""
    table = np.empty(len(intervals.start), INTERVAL)
    table["start"] = intervals.start
    table["duration"] = intervals.duration
    table["thread"] = np.repeat(np.arange(len(intervals.first) - 1), np.diff(intervals.first))
    of_gil = intervals.state >= State.WAITING  # there is no other state among these
    table["gil"] = np.where(of_gil, gil[intervals.event], -1)
    table["state"] = intervals.state
    table["unfinished"] = unfinished(columns, intervals)
    table["cpu"] = -1
    return table


def unfinished(columns: Columns, intervals: Intervals) -> Bools:
    """Return which intervals' ends were not seen: a thread's last ones, and those before lost events."""
    cut = np.zeros(len(intervals.start), bool)
    last = intervals.first[1:] - 1
    cut[last] = ~columns.exited | (intervals.state[last] >= State.WAITING)
    lost = np.flatnonzero(intervals.kind == LOST)
    same_thread = without(lost, intervals.first[:-1])
    cut[same_thread - 1] = True
    return cut

"""A part of a trace as a trace in itself: every table and figure of it is then about that time alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays import Bools, Int64s
from ..reader.format import NO_GIL, Event
from ..reader.streams.grammar import LOST
from .columns import Columns, SideColumns

_STATE_EVENTS: Final = np.zeros(256, bool)
_STATE_EVENTS[
    [LOST, Event.THREAD_START, Event.GIL_WAIT, Event.GIL_ACQUIRED, Event.GIL_RELEASED, Event.GIL_ABANDONED]
] = True
_GOES_ON: Final = (Event.GIL_WAIT, Event.GIL_ACQUIRED)
"""What began a state that has a GIL: it is said again at the window's begin."""

_ENDS: Final = {int(Event.GIL_WAIT): Event.GIL_ACQUIRED, int(Event.GIL_ACQUIRED): Event.GIL_RELEASED}
"""The event that tells of the code in which such a state was."""

_ABOUT_WAITS: Final = np.zeros(256, bool)
_ABOUT_WAITS[[Event.LOCK_WAIT, Event.LOCK_ACQUIRED, Event.LOCK_TIMEOUT, Event.LOCK_INTERRUPTED]] = True


class _Event(NamedTuple):
    time: int
    kind: int
    gil: int
    arg: int


def threads_within(columns: Columns, begin: int, end: int) -> Bools:
    """Return which threads live at any moment of [begin, end)."""
    alive: Bools = (columns.begin < end) & (columns.end > begin)
    return alive


def cut(columns: Columns, begin: int, end: int) -> Columns:
    """Return what happened in [begin, end), by the threads that lived then.

    A state that began before is begun again at `begin`: a wait or a hold then is as long as its part within,
    and a timeout before it is not counted. What is not known at `begin` stays so.

    Parameters
    ----------
    begin, end : int
        ns of CLOCK_MONOTONIC.
    """
    threads = np.flatnonzero(threads_within(columns, begin, end))
    pieces = [_piece(columns, int(thread), begin, end) for thread in threads]
    counts = [len(openings) + stop - start for openings, start, stop, _ in pieces]

    def joined(column: npt.NDArray[Any], field: int) -> npt.NDArray[Any]:
        parts = [
            part
            for openings, start, stop, _ in pieces
            for part in (np.array([event[field] for event in openings], column.dtype), column[start:stop])
        ]
        return np.concatenate(parts) if parts else column[:0]

    return Columns(
        time=joined(columns.time, 0),
        kind=joined(columns.kind, 1),
        gil=joined(columns.gil, 2),
        arg=joined(columns.arg, 3),
        first=np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64),
        begin=np.maximum(columns.begin[threads], begin),
        end=np.minimum(columns.end[threads], end),
        seen_alive=np.array([unknown for *_, unknown in pieces], bool),
        exited=columns.exited[threads] & (columns.end[threads] < end),
        paths=tuple(columns.paths[thread] for thread in threads),
        ahead=np.array([_frame_ahead(columns, int(thread), end) for thread in threads], np.uint32),
    )


def _frame_ahead(columns: Columns, thread: int, end: int) -> int:
    """Return the frame that is told when the hold or the wait which a thread is in at `end` ends; 0: none."""
    first, last = int(columns.first[thread]), int(columns.first[thread + 1])
    at = first + int(np.searchsorted(columns.time[first:last], end, "left"))
    began = _last_state_event(columns.kind, first, at)
    ends_with = _ENDS.get(int(columns.kind[began])) if began is not None else None
    if ends_with is None:
        return 0
    ended = _next_state_event(columns.kind, at, last)
    if ended is None:
        return int(columns.ahead[thread]) if columns.ahead is not None else 0
    return int(columns.arg[ended]) if columns.kind[ended] == ends_with else 0


def cut_side(side: SideColumns, columns: Columns, begin: int, end: int) -> SideColumns:
    """Return the events about no GIL in [begin, end), as `cut` does: a wait for a lock is begun again."""
    threads = np.flatnonzero(threads_within(columns, begin, end))
    parts = [_side_piece(side, int(thread), begin, end) for thread in threads]
    return SideColumns(
        time=np.concatenate([side.time[:0], *(time for time, _ in parts)]),
        kind=np.concatenate([side.kind[:0], *(side.kind[at] for _, at in parts)]),
        arg=np.concatenate([side.arg[:0], *(side.arg[at] for _, at in parts)]),
        first=np.cumsum([0, *(len(at) for _, at in parts)], dtype=np.int64),
    )


def _side_piece(side: SideColumns, thread: int, begin: int, end: int) -> tuple[Int64s, Int64s]:
    """Return the times of a thread's events within, and where they are."""
    first, last = int(side.first[thread]), int(side.first[thread + 1])
    start, stop = first + np.searchsorted(side.time[first:last], [begin, end], "left")
    at = np.arange(start, stop)
    before = np.flatnonzero(_ABOUT_WAITS[side.kind[first:start]])
    if len(before) and side.kind[first + before[-1]] == Event.LOCK_WAIT:
        wait = first + int(before[-1])
        told = wait + 1
        while told < start and side.kind[told] in (Event.LOCK_FRAME, Event.LOCK_HELD):
            told += 1
        at = np.concatenate([np.arange(wait, told), at])
    return np.maximum(side.time[at], begin), at


def _piece(columns: Columns, thread: int, begin: int, end: int) -> tuple[Sequence[_Event], int, int, bool]:
    """Return what is said again at the begin, which events follow, and whether nothing is known at first."""
    first, last = int(columns.first[thread]), int(columns.first[thread + 1])
    time = columns.time[first:last]
    start = first + int(np.searchsorted(time, begin, "left"))
    stop = first + int(np.searchsorted(time, end, "left"))
    if columns.paths[thread] is None:  # seen by the scheduler alone
        return (
            [_Event(max(begin, int(columns.begin[thread])), LOST, NO_GIL, 0)],
            first,
            first,
            bool(columns.seen_alive[thread]),
        )
    if start == first and int(columns.begin[thread]) >= begin:
        return [], start, stop, bool(columns.seen_alive[thread])
    began = _last_state_event(columns.kind, first, start)
    opening = [_Event(begin, Event.THREAD_START, NO_GIL, 0)]
    if began is None or columns.kind[began] == LOST:
        return opening, start, stop, True
    kind = int(columns.kind[began])
    if kind in _GOES_ON:
        opening.append(_Event(begin, kind, int(columns.gil[began]), int(columns.arg[began])))
    unknown = kind == Event.THREAD_START and bool(columns.seen_alive[thread])
    return opening, start, stop, unknown


def _last_state_event(kind: npt.NDArray[np.uint8], first: int, before: int) -> int | None:
    """Return the position of the last event before one that began a state; None: there is none."""
    at = before
    while at > first:
        since = max(first, at - 256)
        found: Int64s = np.flatnonzero(_STATE_EVENTS[kind[since:at]])
        if len(found):
            return since + int(found[-1])
        at = since
    return None


def _next_state_event(kind: npt.NDArray[np.uint8], at: int, last: int) -> int | None:
    """Return the position of the first event from `at` on that begins a state; None: there is none."""
    while at < last:
        found: Int64s = np.flatnonzero(_STATE_EVENTS[kind[at : min(at + 256, last)]])
        if len(found):
            return at + int(found[0])
        at += 256
    return None

"""Spans: what the program's own stretches of time went on, and for the slow ones, who delayed them.

A span's time is its thread's: what that thread did from the span's begin to its end. It is split by the
thread's states, which tile its life, so the parts sum up to the span exactly. A coroutine's span goes on over
its awaits, while its thread may have done other things.

What delayed a span is what its thread waited for in it: each moment of a wait for the GIL is charged to the
thread that held it and to the code of that hold (`Trace.hold_frames`), each wait for another lock to whoever
ended it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ..arrays import Int64s, Table
from ..measures.distribution import NONE, Distribution, distribution
from ..model import State
from ..tables.trace import Trace

NOBODY: Final = -1
"""The thread where nobody is known to have held what was waited for: handoffs, waits that time ended."""

PARTS: Final[dict[str, tuple[State, ...]]] = {
    "ran": (State.HOLDING, State.RUNNING, State.NATIVE),
    "waited for the GIL": (State.WAITING,),
    "waited for locks": (State.LOCKED, State.STOPPED),
    "ready": (State.READY, State.STALLED),
    "blocked": (State.BLOCKED, State.HOLDING_ASLEEP),
    "not known": (State.RELEASED, State.UNKNOWN),
}
"""What a span consists of, for people: *ready* wants a CPU and has none. Every state is in one of them."""


@dataclass(frozen=True, eq=False)
class SpanFigures:
    """All spans of one name.

    Attributes
    ----------
    name : int
        Index in `Trace.mark_names`; -1: not recorded.
    rows : ndarray of int64
        Indices in `Trace.spans`.
    duration : Distribution
        Of those whose end was seen.
    unfinished : int
        How many others there are.
    time : ndarray of int64, shape (len(State),)
        ns in each state, over all of them.
    """

    name: int
    rows: Int64s = field(repr=False)
    duration: Distribution
    unfinished: int
    time: Int64s = field(repr=False)


@dataclass(frozen=True)
class Delay:
    """A part of a span in which its thread waited for one thing.

    Attributes
    ----------
    lock : int or None
        Index in `Trace.locks`, -1: a lock that is not known; None: the GIL.
    thread : int
        Who held the GIL, or let go of the lock; NOBODY: not known.
    code, line : int
        Where that was: index in `Trace.codes`, -1: not recorded.
    time : int
        ns.
    """

    lock: int | None
    thread: int
    code: int
    line: int
    time: int


def time_in_states(trace: Trace, spans: Table) -> Int64s:
    """Return how long each span's thread was in each state meanwhile, ns: shape (spans, len(State)).

    With T(t) = how long it has been in a state up to t: T(end) - T(start).
    """
    states = trace.states_by_column
    time = np.zeros((len(spans), len(State)), np.int64)
    for thread in np.unique(spans["thread"]).tolist():
        of = np.flatnonzero(spans["thread"] == thread)
        mine = slice(int(states.first[thread]), int(states.first[thread + 1]))
        start, length, state = states.start[mine], states.duration[mine], states.state[mine]
        begin = spans["start"][of]
        end = begin + spans["duration"][of]
        at = [np.maximum(np.searchsorted(start, when, "right") - 1, 0) for when in (begin, end)]
        for each in np.unique(state).tolist():
            before = np.concatenate([[0], np.cumsum(np.where(state == each, length, 0))])
            until = [
                before[i] + np.where(state[i] == each, np.clip(when - start[i], 0, length[i]), 0)
                for i, when in zip(at, (begin, end), strict=True)
            ]
            time[of, each] = until[1] - until[0]
    return time


def span_figures(trace: Trace, time: Int64s | None = None) -> list[SpanFigures]:
    """Return the figures of the spans of each name, those that took longest in all first.

    Parameters
    ----------
    time : ndarray of int64, optional
        What `time_in_states` says of `trace.spans`.
    """
    spans = trace.spans
    time = time_in_states(trace, spans) if time is None else time
    found = []
    for name in np.unique(spans["name"]).tolist():
        rows = np.flatnonzero(spans["name"] == name)
        ended = rows[~spans["unfinished"][rows]]
        durations = spans["duration"][ended].copy()
        found.append(
            SpanFigures(
                name,
                rows,
                distribution(durations) if len(ended) else NONE,
                len(rows) - len(ended),
                time[rows].sum(axis=0),
            )
        )
    return sorted(found, key=lambda of: -int(of.time.sum()))


def slowest(trace: Trace, most: int) -> Int64s:
    """Return the longest of the spans whose end was seen, the longest first: indices in `Trace.spans`."""
    spans = trace.spans
    ended = np.flatnonzero(~spans["unfinished"])
    order = np.argsort(-spans["duration"][ended], kind="stable")[:most]
    longest: Int64s = ended[order]
    return longest


def delays(trace: Trace, span: int) -> list[Delay]:
    """Return what the thread of a span waited for in it, the longest first: of one thread and line,
    together."""
    row = trace.spans[span]
    begin, end = int(row["start"]), int(row["start"] + row["duration"])
    found: Counter[tuple[int | None, int, int, int]] = Counter()
    _add_gil(trace, int(row["thread"]), begin, end, found)
    _add_locks(trace, int(row["thread"]), begin, end, found)
    return [Delay(*key, time) for key, time in found.most_common() if time > 0]


_Found = Counter[tuple[int | None, int, int, int]]


def _of_thread(table: Table, thread: int, begin: int, end: int) -> Table:
    """Return those rows of a table, sorted by (thread, start), that overlap a time."""
    first, last = np.searchsorted(table["thread"], [thread, thread + 1])
    mine = table[first:last]
    overlapping: Table = mine[(mine["start"] < end) & (mine["start"] + mine["duration"] > begin)]
    return overlapping


def _add_gil(trace: Trace, thread: int, begin: int, end: int, found: _Found) -> None:
    frames = {gil.index: trace.hold_frames(gil) for gil in trace.gils}
    for wait in _of_thread(trace.waits, thread, begin, end):
        since, until = max(int(wait["start"]), begin), min(int(wait["start"] + wait["duration"]), end)
        holds = trace.holds(trace.gils[int(wait["gil"])])
        first = int(np.searchsorted(holds.released, since, "right"))
        last = int(np.searchsorted(holds.acquired, until, "left"))
        left = until - since
        for at in range(first, last):
            time = min(int(holds.released[at]), until) - max(int(holds.acquired[at]), since)
            found[(None, int(holds.thread[at]), *_where(trace, int(frames[int(wait["gil"])][at])))] += time
            left -= time
        found[(None, NOBODY, -1, 0)] += left


def _add_locks(trace: Trace, thread: int, begin: int, end: int, found: _Found) -> None:
    for wait in _of_thread(trace.lock_waits, thread, begin, end):
        time = min(int(wait["start"] + wait["duration"]), end) - max(int(wait["start"]), begin)
        found[(int(wait["lock"]), int(wait["waker"]), *_where(trace, int(wait["waker_frame"])))] += time


def _where(trace: Trace, frame: int) -> tuple[int, int]:
    return (int(trace.frames["code"][frame]), int(trace.frames["line"][frame])) if frame >= 0 else (-1, 0)

"""The invariants that hold on every trace, whatever the program did.

1. On one GIL, holds never overlap.
2. A thread's intervals tile its life.
3. A thread has acquired as often as it has released, or once more.
4. Times in a stream never decrease.
5. No wait is negative; each one ends in an acquire, an abandon, or the end of the trace.
6. Where a drop request was found, a waiter had timed out.
7. Nothing was lost without a word.
8. On one CPU, one thread runs at a time; the states tile a thread's life, and each is a part of what it
   did about the GIL.
9. A thread waits for one lock at a time; a wake that ended a wait comes within it, is for the same lock, and
   ended no other.
10. Marks and spans lie in the lives of their threads; a span ends no earlier than it begins.
11. A wait that ended with the lock has a waker, or a moment in which the lock may have been free.
12. On one lock, what is known of who had it does not overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import SupportsInt

import numpy as np

from ..arrays import Int64s
from ..dtypes import Outcome
from ..model import Gil
from ..reader.format import Event
from ..reader.streams.grammar import LOST
from .gil import requests
from .gil.intervals import unfinished
from .gil.waits import outcomes
from .lock_invariants import got_what_was_never_free, lock_holds_overlap
from .trace import Trace

MOST = 20
"""Violations of one invariant that are told one by one."""


@dataclass(frozen=True)
class Violation:
    """An invariant that does not hold, where it does not: `thread` is an index, -1 when it is about none."""

    invariant: int
    message: str
    time: int
    thread: int
    path: Path | None

    def __str__(self) -> str:
        """Say it in one line."""
        return f"invariant {self.invariant}: {self.message} (at {self.time} ns, {self.path})"


def validate(trace: Trace) -> list[Violation]:
    """Return what is wrong with a trace; an empty list when all invariants hold.

    At most `MOST` violations of each invariant are returned.
    """
    checks: list[Callable[[Trace], Iterator[Violation]]] = [
        _holds_overlap,
        _intervals_do_not_tile,
        _unbalanced,
        _times_decrease,
        _waits_without_end,
        _requested_by_nobody,
        _lost_in_silence,
        _shared_cpus,
        _states_do_not_tile,
        _lock_waits_cross,
        _said_outside_of_life,
        _got_what_was_never_free,
        _lock_holds_overlap,
    ]
    found: list[Violation] = []
    for check in checks:
        found += [violation for _, violation in zip(range(MOST), check(trace), strict=False)]
    return found


def _violation(
    trace: Trace, invariant: int, thread: SupportsInt, time: SupportsInt, message: str
) -> Violation:
    who = trace.threads[int(thread)]
    path = trace.columns.paths[int(thread)]
    return Violation(invariant, f"{who.name} ({who.tid}) {message}", int(time), who.index, path)


def _holds_overlap(trace: Trace) -> Iterator[Violation]:
    for gil in trace.gils:
        holds = trace.holds(gil)
        until = np.maximum.accumulate(holds.released) if len(holds.released) else holds.released
        for at in np.flatnonzero(holds.acquired[1:] < until[:-1]) + 1:
            before = trace.threads[holds.thread[int(np.argmax(until[:at] == until[at - 1]))]]
            message = (
                f"takes gil {gil.number} while {before.name} ({before.tid}) holds it until {until[at - 1]}"
            )
            yield _violation(trace, 1, holds.thread[at], holds.acquired[at], message)


def _intervals_do_not_tile(trace: Trace) -> Iterator[Violation]:
    intervals, columns = trace.intervals_by_column, trace.columns
    end = intervals.start + intervals.duration
    opening, last = intervals.first[:-1], intervals.first[1:] - 1
    for thread in np.flatnonzero(intervals.start[opening] != columns.begin):
        yield _violation(trace, 2, thread, columns.begin[thread], "has a life before its first interval")
    for thread in np.flatnonzero(end[last] != columns.end):
        yield _violation(trace, 2, thread, columns.end[thread], "has an interval over the end of its life")
    for at in np.flatnonzero(intervals.duration < 0):
        thread = intervals.thread_of(np.array([at]))[0]
        yield _violation(trace, 2, thread, intervals.start[at], "has an interval of negative duration")
    broken = np.flatnonzero(end[:-1] != intervals.start[1:])
    for at in np.setdiff1d(broken, last):
        thread = intervals.thread_of(np.array([at]))[0]
        yield _violation(trace, 2, thread, end[at], "has a gap or an overlap between intervals")


def _unbalanced(trace: Trace) -> Iterator[Violation]:
    """Counts from what is known: a first release gives back what was taken before the recording."""
    columns = trace.columns
    kind = columns.kind
    at = np.flatnonzero((kind == Event.GIL_ACQUIRED) | (kind == Event.GIL_RELEASED) | (kind == LOST))
    thread = columns.thread_of(at)
    acquired = kind[at] == Event.GIL_ACQUIRED
    follows = np.zeros(len(at), bool)
    follows[1:] = thread[1:] == thread[:-1]
    before = np.zeros(len(at), kind.dtype)
    before[1:] = kind[at[:-1]]
    before[~follows] = LOST
    same_gil = np.zeros(len(at), bool)
    same_gil[1:] = columns.gil[at[1:]] == columns.gil[at[:-1]]
    twice = acquired & (before == Event.GIL_ACQUIRED) & same_gil
    idle = (kind[at] == Event.GIL_RELEASED) & (before == Event.GIL_RELEASED)
    for wrong, message in ((twice, "acquires what it holds"), (idle, "releases what it does not hold")):
        for position in np.flatnonzero(wrong):
            yield _violation(trace, 3, thread[position], columns.time[at[position]], message)


def _times_decrease(trace: Trace) -> Iterator[Violation]:
    columns = trace.columns
    earlier = np.flatnonzero(columns.time[1:] < columns.time[:-1]) + 1
    for at in np.setdiff1d(earlier, columns.first):
        yield _violation(
            trace, 4, columns.thread_of(np.array([at]))[0], columns.time[at], "goes back in time"
        )


def _waits_without_end(trace: Trace) -> Iterator[Violation]:
    columns, intervals = trace.columns, trace.intervals_by_column
    at = intervals.waiting
    thread = intervals.thread_of(at)
    for position in np.flatnonzero(intervals.duration[at] < 0):
        yield _violation(trace, 5, thread[position], intervals.start[at[position]], "waits a negative time")
    open_end = outcomes(intervals, at) == Outcome.UNFINISHED
    for position in np.flatnonzero(open_end & ~unfinished(columns, intervals)[at]):
        yield _violation(
            trace, 5, thread[position], intervals.start[at[position]], "waits, and then does not"
        )


def _requested_by_nobody(trace: Trace) -> Iterator[Violation]:
    """A waiter asks the holder to let go when it has timed out: after the acquire, before it is found.

    Not where the trace can't know: the hold began before the recording, events were lost, or a thread lived
    whose state was not known yet, who may have been the one.
    """
    columns = trace.columns
    for gil in trace.gils:
        process = trace.processes[gil.process]
        if process.discarded or trace.skipped:
            continue
        found = _events_on(trace, gil, Event.GIL_DROP_REQUESTED)
        found = found[columns.kind[found - 2] == Event.GIL_ACQUIRED]  # acquired, released, requested
        acquired, told = columns.time[found - 2], columns.time[found]
        all_known = requests.all_known(trace.intervals_by_column, trace.threads_of(process))
        # Who waited before it was recorded may have asked in that wait, which nobody saw.
        known = (acquired > process.begin) & (acquired > all_known)
        found, acquired, told = found[known], acquired[known], told[known]
        timeouts = np.sort(columns.time[_events_on(trace, gil, Event.GIL_TIMEOUT)])
        first, last = np.searchsorted(timeouts, acquired, "left"), np.searchsorted(timeouts, told, "right")
        for position in found[first == last]:
            thread = columns.thread_of(np.array([position]))[0]
            message = "answers a drop request, but nobody who waits has timed out"
            yield _violation(trace, 6, thread, columns.time[position], message)


def _events_on(trace: Trace, gil: Gil, kind: Event) -> Int64s:
    columns = trace.columns
    threads = trace.threads_of(trace.processes[gil.process])
    at = np.flatnonzero(columns.kind == kind)
    mine = (at >= columns.first[threads.start]) & (at < columns.first[threads.stop])
    on: Int64s = at[mine & (columns.gil[at] == gil.number)]
    return on


def _lost_in_silence(trace: Trace) -> Iterator[Violation]:
    for process in trace.processes:
        if process.discarded and process.failure is None and not process.threads_lost:
            message = f"process {process.pid} lost {process.discarded} events and does not say why"
            yield Violation(7, message, process.end, -1, trace.path)


def _shared_cpus(trace: Trace) -> Iterator[Violation]:
    rows = trace.on_cpu
    rows = rows[rows["cpu"] >= 0]
    rows = rows[np.lexsort((rows["start"], rows["cpu"]))]
    end = rows["start"] + rows["duration"]
    shared = (rows["cpu"][1:] == rows["cpu"][:-1]) & (rows["start"][1:] < end[:-1])
    for at in np.flatnonzero(shared):
        before, after = rows[at], rows[at + 1]
        message = (
            f"thread {after['tid']} runs on cpu {after['cpu']} while thread {before['tid']} does,"
            f" until {end[at]}"
        )
        yield Violation(8, message, int(after["start"]), int(after["thread"]), trace.path / "sched")


def _states_do_not_tile(trace: Trace) -> Iterator[Violation]:
    """Each GIL interval is as long as its parts, and they follow each other."""
    states, intervals = trace.states_by_column, trace.intervals_by_column
    end = states.start + states.duration
    broken = np.flatnonzero(end[:-1] != states.start[1:])
    for at in np.setdiff1d(broken, states.first[1:] - 1):
        yield _violation(
            trace, 8, states.thread_of(np.array([at]))[0], end[at], "has a gap or an overlap between states"
        )
    parts = np.concatenate([[0], np.cumsum(states.duration)])
    bounds = np.searchsorted(states.of, np.arange(len(intervals.start) + 1))
    wrong = np.diff(parts[bounds]) != intervals.duration
    for at in np.flatnonzero(wrong):
        thread = intervals.thread_of(np.array([at]))[0]
        yield _violation(trace, 8, thread, intervals.start[at], "has states that are not what the GIL says")


def _lock_waits_cross(trace: Trace) -> Iterator[Violation]:
    """A thread that waits twice at once, or what ended a wait and was not in it."""
    waits, wakes = trace.lock_waits, trace.lock_wakes
    end = waits["start"] + waits["duration"]
    crossing = (waits["thread"][1:] == waits["thread"][:-1]) & (waits["start"][1:] < end[:-1])
    for at in np.flatnonzero(crossing) + 1:
        yield _violation(trace, 9, waits["thread"][at], waits["start"][at], "waits for two locks at once")
    ended = np.flatnonzero(waits["wake"] >= 0)
    wake = wakes[waits["wake"][ended]]
    wrong = (wake["lock"] != waits["lock"][ended]) | (wake["time"] < waits["start"][ended])
    wrong |= wake["wait"] != ended
    for at in ended[wrong]:
        message = "has its wait for a lock ended by what was not about it"
        yield _violation(trace, 9, waits["thread"][at], waits["start"][at], message)


def _said_outside_of_life(trace: Trace) -> Iterator[Violation]:
    """Marks and spans of a thread that was not there, and spans that go back."""
    begin, end = trace.columns.begin, trace.columns.end
    marks, spans = trace.marks, trace.spans
    for table, start, until in (
        (marks, marks["time"], marks["time"]),
        (spans, spans["start"], spans["start"] + spans["duration"]),
    ):
        wrong = (start < begin[table["thread"]]) | (until > end[table["thread"]]) | (until < start)
        for at in np.flatnonzero(wrong):
            yield _violation(
                trace, 10, table["thread"][at], start[at], "says something outside of its own life"
            )


def _got_what_was_never_free(trace: Trace) -> Iterator[Violation]:
    for thread, time, message in got_what_was_never_free(trace):
        yield _violation(trace, 11, thread, time, message)


def _lock_holds_overlap(trace: Trace) -> Iterator[Violation]:
    for thread, time, message in lock_holds_overlap(trace):
        yield _violation(trace, 12, thread, time, message)

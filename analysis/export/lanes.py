"""What every format is written from: threads' intervals with their lines, and the handoffs between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Int32s, Int64s, Table
from ..destinations import visible
from ..measures.lock_names import lock_name
from ..model import HELD, State, Thread
from ..states import LOCK_STATES, STATES
from ..tables.marks import span_rows
from .places import Places, places

if TYPE_CHECKING:
    from ..tables.trace import Trace


@dataclass(frozen=True, eq=False)
class Lane:
    """One thread's intervals, in order: they tile its life.

    Attributes
    ----------
    thread : Thread
    rows : INTERVAL table
    place : ndarray of int32
        Index in `Scene.places.names` for each row: 0 is not recorded.
    """

    thread: Thread
    rows: Table
    place: Int32s


class Scene:
    """A trace as other programs take it."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.places: Places = places(trace)

    def lanes(self) -> Iterator[Lane]:
        """Yield each thread's intervals."""
        states = self.trace.states_by_column
        place = self.places.of_interval[states.of]
        for thread in self.trace.threads:
            mine = slice(int(states.first[thread.index]), int(states.first[thread.index + 1]))
            yield Lane(thread, self.trace.intervals[mine], place[mine])

    def flows(self) -> dict[int, list[tuple[int, int]]]:
        """Return for each thread (acquired, number) of the holds that a handoff to another thread goes to.

        A handoff's number n is that of its row in `Trace.handoffs`; where it comes from is `sources`.
        """
        return self._ends("to_thread", "acquired")

    def sources(self) -> dict[int, list[tuple[int, int]]]:
        """Return for each thread (released, number) of the holds that such a handoff comes from."""
        return self._ends("from_thread", "released")

    def _ends(self, thread: str, time: str) -> dict[int, list[tuple[int, int]]]:
        handoffs = self.trace.handoffs
        switches = np.flatnonzero(handoffs["from_thread"] != handoffs["to_thread"])
        found: dict[int, list[tuple[int, int]]] = {}
        for number in switches.tolist():
            found.setdefault(int(handoffs[thread][number]), []).append((int(handoffs[time][number]), number))
        return found

    def waiters(self) -> dict[int, tuple[Int64s, Int64s]]:
        """Return for each process when the number of its waiting threads changed, and to what."""
        intervals = self.trace.intervals_by_column
        found = {}
        for process in self.trace.processes:
            threads = self.trace.threads_of(process)
            low, high = np.searchsorted(intervals.waiting, intervals.first[[threads.start, threads.stop]])
            mine = intervals.waiting[low:high]
            begin = intervals.start[mine]
            times = np.concatenate([begin, begin + intervals.duration[mine]])
            change = np.repeat([1, -1], len(begin))
            when, which = np.unique(times, return_inverse=True)
            steps = np.zeros(len(when), np.int64)
            np.add.at(steps, which, change)
            found[process.index] = (when, np.cumsum(steps))
        return found

    @cached_property
    def all_spans(self) -> dict[int, list[tuple[int, int, str, int]]]:
        """Return each thread's spans: start, duration, name, and a row in which none overlap."""
        spans = self.trace.spans
        found: dict[int, list[tuple[int, int, str, int]]] = {}
        for of, row in zip(spans, span_rows(spans).tolist(), strict=True):
            said = (int(of["start"]), int(of["duration"]), self.said(int(of["name"])), row)
            found.setdefault(int(of["thread"]), []).append(said)
        return found

    @cached_property
    def all_marks(self) -> dict[int, list[tuple[int, str]]]:
        """Return each thread's marks: time and name."""
        found: dict[int, list[tuple[int, str]]] = {}
        for of in self.trace.marks:
            found.setdefault(int(of["thread"]), []).append((int(of["time"]), self.said(int(of["name"]))))
        return found

    def said(self, name: int) -> str:
        """Return what a mark or a span is called, as one line."""
        return visible(self.trace.mark_names[name]) if name >= 0 else "(name not recorded)"

    def wakes(self) -> list[tuple[int, int, int, int, str]]:
        """Return who ended which wait for a lock: waker, time, waiter, time, name of it."""
        waits = self.trace.lock_waits
        known = waits[waits["wake"] >= 0]
        when = self.trace.lock_wakes["time"][known["wake"]].tolist()
        return [
            (
                int(of["waker"]),
                time,
                int(of["thread"]),
                int(of["start"] + of["duration"]),
                self.lock(int(of["lock"])),
            )
            for of, time in zip(known, when, strict=True)
            if of["waker"] >= 0
        ]

    def lock(self, lock: int) -> str:
        """Return what a lock is called, as one line."""
        return visible(lock_name(self.trace.locks[lock])) if lock >= 0 else "a lock"

    def locks(self, lane: Lane) -> dict[int, tuple[str, str]]:
        """Return for a lane's waits for locks, by row, what the lock is called and who let go of it."""
        rows = np.flatnonzero(np.isin(lane.rows["state"], LOCK_STATES))
        waits = self.trace.lock_waits
        first, last = np.searchsorted(waits["thread"], [lane.thread.index, lane.thread.index + 1])
        mine = waits[first:last]
        at = np.searchsorted(mine["start"], lane.rows["start"][rows], "right") - 1
        return {
            row: (self.lock(int(mine["lock"][wait])), self._name(int(mine["waker"][wait])))
            for row, wait in zip(rows.tolist(), at.tolist(), strict=True)
            if wait >= 0
        }

    def _name(self, thread: int) -> str:
        return thread_name(self.trace.threads[thread]) if thread >= 0 else ""

    def where(self, place: int) -> str:
        """Return "parse(), app.py:120", or "" where that is not known."""
        function, at, _ = self.places.names[place]
        return visible(f"{function}, {at}") if function else ""


def state_name(state: int) -> str:
    """Return what a state is called in the files of other programs: as in the legends of figures."""
    return STATES[State(state)].label


def is_held(state: int) -> bool:
    """Return whether a thread has the GIL in a state."""
    return State(state) in HELD


def thread_name(thread: Thread) -> str:
    """Return a thread's name as one line."""
    return visible(thread.name)

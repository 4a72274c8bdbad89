"""What a trace amounts to: times, counts and distributions; per thread, process and GIL, and of all of it.

An interval that the end of the recording cut is counted with the length it had by then: a wait that never
ended is often the one that matters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np

from .arrays import Bools, Int32s, Int64s, Table
from .distribution import Distribution, distribution, distributions, narrow
from .format import Event
from .handoffs import Holds
from .model import Gil, Process, State, Thread
from .trace import Trace

FLOW: Final = np.dtype(
    [("from_thread", "<i4"), ("to_thread", "<i4"), ("count", "<i8"), ("requested", "<i8")], align=True
)
"""The handoff matrix, without its zeros: how often a thread took over from another (or from itself)."""


@dataclass(frozen=True)
class Counts:
    """How often things happened.

    `contended_acquires` are those that had to wait; `timeouts` the switch intervals that passed in waits;
    `requested_releases` those that answered a drop request, the other ones are `voluntary_releases`;
    `abandons` the waits that ended because the thread exited.
    """

    acquires: int
    contended_acquires: int
    timeouts: int
    requested_releases: int
    voluntary_releases: int
    abandons: int


@dataclass(frozen=True)
class ThreadStatistics:
    """One thread. `time` has the ns in each state; they sum to the thread's life exactly."""

    thread: Thread
    time: dict[State, int]
    counts: Counts
    wait: Distribution
    hold: Distribution

    @property
    def lifetime(self) -> int:
        """How long the thread lived within the recording, in ns."""
        return self.thread.end - self.thread.begin


@dataclass(frozen=True)
class GilStatistics:
    """One GIL, over its process's recorded time.

    `held` and `contended` are the ns that somebody held it, and that at least one thread waited for it.
    """

    gil: Gil
    duration: int
    held: int
    contended: int
    handoffs: int
    switches: int
    requested: int
    wait: Distribution
    hold: Distribution

    @property
    def utilisation(self) -> float:
        """Share of the time that the GIL was held."""
        return self.held / self.duration if self.duration else 0.0

    @property
    def contention(self) -> float:
        """Share of the time that at least one thread waited."""
        return self.contended / self.duration if self.duration else 0.0


@dataclass(frozen=True)
class ProcessStatistics:
    """One process: the sums over its threads, in `time` and `counts`, and its distributions."""

    process: Process
    threads: tuple[ThreadStatistics, ...]
    gils: tuple[GilStatistics, ...]
    time: dict[State, int]
    counts: Counts
    wait: Distribution
    hold: Distribution

    @property
    def duration(self) -> int:
        """How long the process was recorded, in ns."""
        return self.process.end - self.process.begin


@dataclass(frozen=True)
class Statistics:
    """A whole trace: the sums over its processes, and the handoff matrix (FLOW) by trace-wide threads."""

    processes: tuple[ProcessStatistics, ...]
    duration: int
    time: dict[State, int]
    counts: Counts
    wait: Distribution
    hold: Distribution
    flow: Table = field(repr=False)

    @property
    def threads(self) -> tuple[ThreadStatistics, ...]:
        """Those of all processes, in the order of `Trace.threads`."""
        return tuple(thread for process in self.processes for thread in process.threads)

    @property
    def gils(self) -> tuple[GilStatistics, ...]:
        """Those of all processes, in the order of `Trace.gils`."""
        return tuple(gil for process in self.processes for gil in process.gils)

    @property
    def parallelism(self) -> float:
        """Mean number of GILs held: how many cores' worth of Python ran."""
        return sum(gil.held for gil in self.gils) / self.duration if self.duration else 0.0

    def matrix(self) -> Int64s:
        """Return the handoff matrix in full: shape (threads, threads), [from, to]."""
        size = len(self.threads)
        dense = np.zeros((size, size), np.int64)
        dense[self.flow["from_thread"], self.flow["to_thread"]] = self.flow["count"]
        return dense


def statistics(trace: Trace) -> Statistics:
    """Return the statistics of a trace."""
    intervals = trace.intervals_by_column
    waiting, holding = intervals.waiting, intervals.holding
    waits, holds = intervals.duration[waiting], intervals.duration[holding]
    first_wait, first_hold = (
        np.searchsorted(waiting, intervals.first),
        np.searchsorted(holding, intervals.first),
    )
    times = _times(trace, waits, first_wait, holds, first_hold)
    counts = _counts(trace, waiting, first_wait, first_hold)
    waits_narrow, holds_narrow = narrow(waits), narrow(holds)
    of_waits = distributions(waits_narrow, first_wait)
    of_holds = distributions(holds_narrow, first_hold)
    threads = [
        ThreadStatistics(thread, dict(zip(State, time, strict=True)), Counts(*count), wait, hold)
        for thread, time, count, wait, hold in zip(
            trace.threads, times.tolist(), counts.tolist(), of_waits, of_holds, strict=True
        )
    ]
    processes = []
    for process in trace.processes:
        mine = trace.threads_of(process)
        wait = _of(waits_narrow, first_wait, mine)
        hold = _of(holds_narrow, first_hold, mine)
        gils = [_gil(trace, gil, wait, hold) for gil in trace.gils if gil.process == process.index]
        time, count = times[mine].sum(axis=0).tolist(), counts[mine].sum(axis=0).tolist()
        processes.append(
            ProcessStatistics(
                process=process,
                threads=tuple(threads[mine]),
                gils=tuple(gils),
                time=dict(zip(State, time, strict=True)),
                counts=Counts(*count),
                wait=wait,
                hold=hold,
            )
        )
    alone = processes[0] if len(processes) == 1 else None
    return Statistics(
        processes=tuple(processes),
        duration=trace.end - trace.begin,
        time=dict(zip(State, times.sum(axis=0).tolist(), strict=True)),
        counts=Counts(*counts.sum(axis=0).tolist()),
        wait=alone.wait if alone else distribution(waits_narrow),
        hold=alone.hold if alone else distribution(holds_narrow),
        flow=_flow(trace),
    )


def _times(trace: Trace, waits: Int64s, first_wait: Int64s, holds: Int64s, first_hold: Int64s) -> Int64s:
    """Return the ns of each thread in each state: shape (threads, states)."""
    intervals = trace.intervals_by_column
    times = np.zeros((len(trace.threads), len(State)), np.int64)
    unknown = np.flatnonzero(intervals.state == State.UNKNOWN)
    first_unknown = np.searchsorted(unknown, intervals.first)
    times[:, State.UNKNOWN] = _sums(intervals.duration[unknown], first_unknown)
    times[:, State.WAITING] = _sums(waits, first_wait)
    times[:, State.HOLDING] = _sums(holds, first_hold)
    times[:, State.RELEASED] = _sums(intervals.duration, intervals.first) - times.sum(axis=1)
    return times


def _sums(values: Int64s, first: Int64s) -> Int64s:
    """Return the sums of consecutive groups, of which some may be empty."""
    sums = np.zeros(len(first) - 1, np.int64)
    some = np.flatnonzero(np.diff(first))
    if len(some):
        sums[some] = np.add.reduceat(values, first[some])
    return sums


def _true_of(values: Bools, first: Int64s) -> Int64s:
    """Count what is true in consecutive groups. numpy counts ten times as fast as it sums."""
    groups = pairwise(first.tolist())
    return np.array([np.count_nonzero(values[begin:end]) for begin, end in groups], np.int64)


def _counts(trace: Trace, waiting: Int64s, first_wait: Int64s, first_hold: Int64s) -> Int64s:
    """Return the fields of Counts for each thread: shape (threads, 6)."""
    columns, intervals = trace.columns, trace.intervals_by_column
    acquired = intervals.kind_after(waiting) == Event.GIL_ACQUIRED

    def events(kind: Event) -> Int64s:
        return _true_of(columns.kind == kind, columns.first)

    def begins(kind: Event) -> Int64s:  # the same, for those that begin an interval, in less memory
        return _true_of(intervals.kind == kind, intervals.first)

    requested = events(Event.GIL_DROP_REQUESTED)
    return np.stack(
        [
            np.diff(first_hold),
            _true_of(acquired, first_wait),
            events(Event.GIL_TIMEOUT),
            requested,
            begins(Event.GIL_RELEASED) - requested,
            begins(Event.GIL_ABANDONED),
        ],
        axis=1,
    )


def _of(durations: Int64s | Int32s, first: Int64s, threads: slice) -> Distribution:
    return distribution(durations[first[threads.start] : first[threads.stop]])


def _gil(trace: Trace, gil: Gil, wait: Distribution, hold: Distribution) -> GilStatistics:
    """Return the statistics of a GIL; `wait` and `hold` are its process's: its own too, if it is alone."""
    process = trace.processes[gil.process]
    intervals = trace.intervals_by_column
    holds = trace.holds(gil)
    begin, end = trace.contended(gil)
    if sum(other.process == gil.process for other in trace.gils) > 1:
        wait = distribution(narrow(intervals.duration[trace.waiting(gil)]))
        hold = distribution(narrow(intervals.duration[trace.holding(gil)]))
    handed = holds.handed_on()
    switched = holds.thread[:-1][handed] != holds.thread[1:][handed]
    return GilStatistics(
        gil=gil,
        duration=process.end - process.begin,
        held=hold.total,
        contended=int((end - begin).sum()),
        handoffs=len(switched),
        switches=int(np.count_nonzero(switched)),
        requested=int(np.count_nonzero(holds.requested[:-1][handed])),
        wait=wait,
        hold=hold,
    )


def _flow(trace: Trace) -> Table:
    flows = [_flow_of(len(trace.threads), trace.holds(gil)) for gil in trace.gils]
    return np.concatenate(flows) if flows else np.empty(0, FLOW)


def _flow_of(size: int, holds: Holds) -> Table:
    """Count the handoffs of one GIL from each of `size` threads to each."""
    handed = holds.handed_on()
    pair = holds.thread[:-1][handed].astype(np.int64) * size + holds.thread[1:][handed]
    key = 2 * pair + holds.requested[:-1][handed]
    if size <= 256:
        count = np.bincount(key, minlength=2 * size * size).reshape(-1, 2)
        every = np.flatnonzero(count.any(axis=1))
        count = count[every]
    else:
        keys, counts = np.unique(key, return_counts=True)
        every, inverse = np.unique(keys // 2, return_inverse=True)
        count = np.zeros((len(every), 2), np.int64)
        count[inverse, keys % 2] = counts
    flow = np.empty(len(every), FLOW)
    flow["from_thread"], flow["to_thread"] = np.divmod(every, size)
    flow["count"] = count.sum(axis=1)
    flow["requested"] = count[:, 1]
    return flow

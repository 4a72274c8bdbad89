"""Statistics from the tables: where a trace can't be told in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..arrays import Bools, Int64s
from ..model import Gil, State
from ..parallel import meanwhile
from ..reader.format import Event
from ..tables.flow import handoff_matrix
from ..tables.trace import Trace
from .cpu_time import CpuFigures, times_in_states
from .distribution import Distribution, distribution, distributions
from .figures import Counts, GilStatistics, ProcessStatistics, Statistics, ThreadStatistics
from .locks import lock_figures
from .native_code import native_times


def from_tables(trace: Trace) -> Statistics:
    """Return the statistics of a trace."""
    intervals = trace.intervals_by_column

    def in_order_of_the_lock() -> None:
        for gil in trace.gils:
            trace.holds(gil)

    positions = intervals.waiting, intervals.holding
    with meanwhile(in_order_of_the_lock, events=len(trace.columns.time)):
        for gil in trace.gils:
            trace.contended(gil)
        waiting, holding = (_durations(trace, of_state) for of_state in positions)
    times = _times(trace, waiting, holding)
    cpus = None
    if trace.scheduling is not None or len(trace.lock_waits):
        times = times_in_states(trace)
    if trace.scheduling is not None:
        cpus = CpuFigures.from_tables(trace, times)
    counts = _counts(trace, waiting, holding)
    locks = lock_figures(trace)
    threads = [
        ThreadStatistics(
            thread,
            dict(zip(State, time, strict=True)),
            Counts(*count),
            wait,
            hold,
            cpus.of_thread(thread.index) if cpus else None,
            locks.of_threads[thread.index],
            locks.stops_of_threads[thread.index],
        )
        for thread, time, count, wait, hold in zip(
            trace.threads, times.tolist(), counts.tolist(), waiting.threads, holding.threads, strict=True
        )
    ]
    processes = []
    for process, wait, hold in zip(trace.processes, waiting.processes, holding.processes, strict=True):
        mine = trace.threads_of(process)
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
                cpu=cpus.of(mine) if cpus else None,
                locks=locks if len(trace.processes) == 1 else lock_figures(trace, process),
            )
        )
    return Statistics(
        processes=tuple(processes),
        duration=trace.end - trace.begin,
        time=dict(zip(State, times.sum(axis=0).tolist(), strict=True)),
        counts=Counts(*counts.sum(axis=0).tolist()),
        wait=waiting.whole,
        hold=holding.whole,
        locks=locks,
        native=native_times(trace),
        flow=handoff_matrix(trace),
        cpu=cpus.of(slice(0, len(threads))) if cpus else None,
    )


@dataclass(frozen=True)
class _Durations:
    """All intervals of one state: where each thread's begin, their sums, and their distributions."""

    positions: Int64s
    first: Int64s
    sums: Int64s
    threads: list[Distribution]
    processes: list[Distribution]
    whole: Distribution


def _durations(trace: Trace, positions: Int64s) -> _Durations:
    intervals = trace.intervals_by_column
    first = np.searchsorted(positions, intervals.first)
    durations = intervals.duration[positions]
    sums = _sums(durations, first)
    threads = distributions(durations, first)
    processes = []
    for process in trace.processes:
        mine = trace.threads_of(process)
        processes.append(distribution(durations[first[mine.start] : first[mine.stop]]))
    whole = processes[0] if len(processes) == 1 else distribution(durations)
    return _Durations(positions, first, sums, threads, processes, whole)


def _times(trace: Trace, waiting: _Durations, holding: _Durations) -> Int64s:
    """Return the ns of each thread in each state: shape (threads, states)."""
    intervals = trace.intervals_by_column
    times = np.zeros((len(trace.threads), len(State)), np.int64)
    unknown = np.flatnonzero(intervals.state == State.UNKNOWN)
    times[:, State.UNKNOWN] = _sums(intervals.duration[unknown], np.searchsorted(unknown, intervals.first))
    times[:, State.WAITING] = waiting.sums
    times[:, State.HOLDING] = holding.sums
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


def _counts(trace: Trace, waiting: _Durations, holding: _Durations) -> Int64s:
    """Return the fields of Counts for each thread: shape (threads, 6)."""
    columns, intervals = trace.columns, trace.intervals_by_column
    acquired = intervals.kind_after(waiting.positions) == Event.GIL_ACQUIRED

    def events(kind: Event) -> Int64s:
        return _true_of(columns.kind == kind, columns.first)

    def begins(kind: Event) -> Int64s:  # the same, for those that begin an interval, in less memory
        return _true_of(intervals.kind == kind, intervals.first)

    answered = [holds.thread[holds.requested] for holds in map(trace.holds, trace.gils)]
    requested = sum(
        (np.bincount(threads, minlength=len(trace.threads)) for threads in answered),
        start=np.zeros(len(trace.threads), np.int64),
    )
    return np.stack(
        [
            np.diff(holding.first),
            _true_of(acquired, waiting.first),
            events(Event.GIL_TIMEOUT),
            requested,
            begins(Event.GIL_RELEASED) - requested,
            begins(Event.GIL_ABANDONED),
        ],
        axis=1,
    )


def _gil(trace: Trace, gil: Gil, wait: Distribution, hold: Distribution) -> GilStatistics:
    """Return the statistics of a GIL; `wait` and `hold` are its process's: its own too, if it is alone."""
    process = trace.processes[gil.process]
    intervals = trace.intervals_by_column
    holds = trace.holds(gil)
    begin, end = trace.contended(gil)
    if sum(other.process == gil.process for other in trace.gils) > 1:
        wait = distribution(intervals.duration[trace.waiting(gil)])
        hold = distribution(intervals.duration[trace.holding(gil)])
    handed = holds.handed_on()
    switched = holds.thread[:-1][handed] != holds.thread[1:][handed]
    return GilStatistics(
        gil=gil,
        switch_interval=trace.switch_intervals[gil.index],
        duration=process.end - process.begin,
        held=hold.total,
        contended=int((end - begin).sum()),
        handoffs=len(switched),
        switches=int(np.count_nonzero(switched)),
        requested=int(np.count_nonzero(holds.requested[:-1][handed])),
        wait=wait,
        hold=hold,
    )

"""Statistics from one pass over all events."""

from __future__ import annotations

import numpy as np

from ..fold.one_pass import Folded
from ..model import Gil, Process, State, Thread
from ..tables.flow import FLOW
from ..tables.trace import Trace
from .cpu_time import CpuFigures
from .distribution import distribution_of
from .figures import Counts, GilStatistics, ProcessStatistics, Statistics, ThreadStatistics
from .locks import LockFigures, lock_figures
from .native_code import native_times


def from_fold(trace: Trace, folded: Folded) -> Statistics:
    """Return the statistics of a trace."""
    locks = lock_figures(trace)
    counts = _counts(trace, folded)
    cpus = CpuFigures.from_fold(trace, folded) if trace.scheduling is not None else None
    threads = [
        _thread(thread, folded, counts[thread.index].tolist(), cpus, locks) for thread in trace.threads
    ]
    processes = [
        _process(trace, process, folded, threads, counts, cpus, locks) for process in trace.processes
    ]
    return Statistics(
        processes=tuple(processes),
        duration=trace.end - trace.begin,
        time=_times(folded.times),
        counts=Counts(*counts.sum(axis=0).tolist()),
        wait=distribution_of(folded.waits_of(folded.items)),
        hold=distribution_of(folded.holds_of(folded.items)),
        locks=locks,
        native=native_times(trace),
        flow=_flow(folded),
        cpu=cpus.of(slice(0, len(threads))) if cpus else None,
    )


def _counts(trace: Trace, folded: Folded) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return the fields of Counts for each thread: shape (threads, 6)."""
    counts = np.zeros((len(trace.threads), 6), np.int64)
    for item in folded.items:
        counts[item.thread, 0] += item.holds.count
        counts[item.thread, 1] += item.contended_acquires
        counts[item.thread, 3] += item.requested
    counts[:, 2] = folded.timeouts
    counts[:, 4] = folded.releases - counts[:, 3]
    counts[:, 5] = folded.abandons
    return counts


def _times(times: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> dict[State, int]:
    return dict(zip(State, times.sum(axis=0).tolist(), strict=True))


def _thread(
    thread: Thread, folded: Folded, counts: list[int], cpus: CpuFigures | None, locks: LockFigures
) -> ThreadStatistics:
    items = folded.of_thread(thread.index)
    return ThreadStatistics(
        thread,
        dict(zip(State, folded.times[thread.index].tolist(), strict=True)),
        Counts(*counts),
        distribution_of(folded.waits_of(items)),
        distribution_of(folded.holds_of(items)),
        cpus.of_thread(thread.index) if cpus else None,
        locks.of_threads[thread.index],
        locks.stops_of_threads[thread.index],
    )


def _process(
    trace: Trace,
    process: Process,
    folded: Folded,
    threads: list[ThreadStatistics],
    counts: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    cpus: CpuFigures | None,
    locks: LockFigures,
) -> ProcessStatistics:
    mine = trace.threads_of(process)
    items = folded.items[int(folded.first_item[mine.start]) : int(folded.first_item[mine.stop])]
    return ProcessStatistics(
        process=process,
        threads=tuple(threads[mine]),
        gils=tuple(_gil(trace, gil, folded) for gil in trace.gils if gil.process == process.index),
        time=_times(folded.times[mine]),
        counts=Counts(*counts[mine].sum(axis=0).tolist()),
        wait=distribution_of(folded.waits_of(items)),
        hold=distribution_of(folded.holds_of(items)),
        cpu=cpus.of(mine) if cpus else None,
        locks=locks if len(trace.processes) == 1 else lock_figures(trace, process),
    )


def _gil(trace: Trace, gil: Gil, folded: Folded) -> GilStatistics:
    process, of = trace.processes[gil.process], folded.gils[gil.index]
    items = folded.of_gil(gil.index)
    hold = distribution_of(folded.holds_of(items))
    return GilStatistics(
        gil=gil,
        switch_interval=trace.switch_intervals[gil.index],
        duration=process.end - process.begin,
        held=hold.total,
        contended=of.contended,
        handoffs=of.handoffs,
        switches=of.switches,
        requested=of.requested,
        wait=distribution_of(folded.waits_of(items)),
        hold=hold,
    )


def _flow(folded: Folded) -> np.ndarray[tuple[int, ...], np.dtype[np.void]]:
    """Return the FLOW table, GIL after GIL."""
    rows = np.concatenate([np.zeros((0, 4), np.int64), *(gil.flow for gil in folded.gils)])
    table = np.empty(len(rows), FLOW)
    for column, name in enumerate(FLOW.names or ()):
        table[name] = rows[:, column]
    return table

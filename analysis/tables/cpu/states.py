"""GIL intervals × time on a CPU → states: what each thread did, and whether it could.

A hold is split where the thread gets a CPU and loses it, into RUNNING, STALLED and HOLDING_ASLEEP; a stretch
without the GIL into NATIVE, READY and BLOCKED: `states.STATES`. A wait is left whole: what happens inside it
is in `retries`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...arrays import Bools, Bytes, Int16s, Int32s, Int64s, Table
from ...dtypes import CPU_INTERVAL
from ...model import State
from ...states import ON_A_CPU, STATES, Cpu
from ..columns import Columns
from ..gil.intervals import Intervals
from .onto_cpu import ON, UNSURE, Stretches

_SPLIT = np.zeros((len(State), len(Cpu)), np.uint8)
_SPLIT[:] = np.arange(len(State))[:, None]
for _kind in STATES.values():
    if _kind.cpu is not None:
        _SPLIT[_kind.of, _kind.cpu] = _kind.state
_HAS_A_CPU = np.isin(np.arange(len(State)), ON_A_CPU)


@dataclass(frozen=True)
class States:
    """Intervals in all states by column, sorted by (thread, start); they tile each thread's life.

    Attributes
    ----------
    start, duration : ndarray of int64
        ns.
    state : ndarray of uint8
        `State`.
    cpu : ndarray of int16
        Where it ran; -1 in the states without a CPU, and in waits.
    of : ndarray of int64
        Position in `Intervals` of the GIL interval that this is a part of.
    first : ndarray of int64, shape (threads + 1,)
        Thread i has the intervals first[i] to first[i + 1].
    """

    start: Int64s
    duration: Int64s
    state: Bytes
    cpu: Int16s
    of: Int64s
    first: Int64s

    def thread_of(self, position: Int64s) -> Int32s:
        """Return the threads of intervals at these positions, which are in order."""
        threads = np.arange(len(self.first) - 1, dtype=np.int32)
        return np.repeat(threads, np.diff(np.searchsorted(position, self.first)))


@dataclass(frozen=True)
class Merged:
    """Both kinds of boundaries in one order: (thread, time), a CPU's before a GIL's of the same time.

    Attributes
    ----------
    time : ndarray of int64
    is_gil : ndarray of bool
        A GIL interval begins there; else a stretch on or off a CPU.
    gil : ndarray of int64
        The GIL interval there: before a thread's first one, another thread's.
    stretch : ndarray of int64
        The stretch there, -1 where nothing is known.
    thread_first : ndarray of int64, shape (threads + 1,)
    """

    time: Int64s
    is_gil: Bools
    gil: Int64s
    stretch: Int64s
    thread_first: Int64s


def without_cpus(intervals: Intervals) -> States:
    """Return GIL intervals as they are: nothing was recorded of the scheduler."""
    nowhere = np.broadcast_to(np.int16(-1), intervals.start.shape)
    every = np.arange(len(intervals.start))
    return States(intervals.start, intervals.duration, intervals.state, nowhere, every, intervals.first)


def merge(columns: Columns, intervals: Intervals, stretches: Stretches, tasks: Sequence[int]) -> Merged:
    """Bring the boundaries of GIL intervals and of stretches into one order.

    Parameters
    ----------
    tasks : sequence of int, length threads
        Which task each thread is, -1: none.
    """
    threads = len(columns.begin)
    which, count = _stretches_of(columns, stretches, tasks)
    # Before what is known of a thread's task, and after it, is a boundary of its own.
    of_thread = np.repeat(np.arange(threads), count)
    position = which
    inside = position >= 0
    time = np.where(inside, stretches.start[np.maximum(position, 0)] if len(stretches.start) else 0, 0)
    first = np.concatenate([[0], np.cumsum(count)])
    time[first[:-1]] = columns.begin
    some = count > 1
    last = first[1:][some] - 1
    before = position[last - 1]
    time[last] = stretches.start[before] + stretches.duration[before]
    time = np.clip(time, columns.begin[of_thread], columns.end[of_thread])

    at = _among(intervals, time, first)
    total = len(time) + len(intervals.start)
    is_gil = np.ones(total, bool)
    is_gil[at] = False
    times = np.empty(total, np.int64)
    times[at], times[is_gil] = time, intervals.start
    gil = np.cumsum(is_gil)
    gil -= 1
    stretch = np.repeat(position, np.diff(at, append=total))  # a thread begins with a boundary of this kind
    return Merged(times, is_gil, gil, stretch, first + intervals.first)


def _stretches_of(columns: Columns, stretches: Stretches, tasks: Sequence[int]) -> tuple[Int64s, Int64s]:
    """Return, thread after thread, -1, then the stretches that touch its life and -1 again, if there are any.

    Also how many that are for each thread.
    """
    parts: list[Int64s] = []
    nothing = np.array([-1])
    lives = zip(tasks, columns.begin.tolist(), columns.end.tolist(), strict=True)
    for task, begin, end in lives:
        touching = np.arange(*stretches.touching(task, begin, end)) if task >= 0 else nothing[:0]
        parts.append(np.concatenate([nothing, touching, nothing]) if len(touching) else nothing)
    count = np.array([len(part) for part in parts], np.int64)
    return np.concatenate(parts) if parts else nothing[:0], count


def _among(intervals: Intervals, time: Int64s, first: Int64s) -> Int64s:
    """Return the places of a CPU's boundaries when they and the GIL's are in one order.

    They are looked up rather than sorted together: mostly they are few among many.
    """
    before = np.arange(len(time))
    bounds, of_gil = first.tolist(), intervals.first.tolist()
    for begin, end, low, high in zip(bounds, bounds[1:], of_gil, of_gil[1:], strict=False):
        before[begin:end] += low + np.searchsorted(intervals.start[low:high], time[begin:end], "left")
    return before


def split(intervals: Intervals, stretches: Stretches, merged: Merged, ends: Int64s) -> States:
    """Return the states; `ends` are when the threads' lives end."""
    at = np.flatnonzero(~merged.is_gil)
    stretch, times = merged.stretch[at], np.diff(at, append=len(merged.time))
    known, of_stretch = stretch >= 0, np.maximum(stretch, 0)
    nowhere = np.zeros(1, np.uint8)
    on_cpu = np.where(known, (stretches.state if len(stretches.state) else nowhere)[of_stretch], UNSURE)
    where = (stretches.cpu if len(stretches.cpu) else nowhere)[of_stretch].astype(np.int16)

    parent = np.empty(len(merged.time), np.uint8)
    parent[merged.is_gil] = intervals.state
    parent[at] = intervals.state[np.maximum(merged.gil[at], 0)]
    state = _SPLIT[parent, np.repeat(on_cpu.astype(np.uint8), times)]
    cpu = np.repeat(where, times)
    cpu[~_HAS_A_CPU[state]] = -1

    keep = merged.is_gil.copy()
    keep[at] = _begins_something(merged, at, parent, ends)
    later = at[at > 0]
    keep[later] &= ~_same(keep, merged, state, cpu, later)
    start, of = merged.time[keep], merged.gil[keep]
    first = np.concatenate([[0], np.cumsum(keep)])[merged.thread_first]
    duration = np.diff(start, append=0)
    duration[first[1:] - 1] = ends - start[first[1:] - 1]
    return States(start, duration, state[keep], cpu[keep], of, first)


def _begins_something(merged: Merged, at: Int64s, parent: Bytes, ends: Int64s) -> Bools:
    """Return which of a CPU's boundaries lie in what is split there, with time until the next one."""
    until = np.append(merged.time, 0)[at + 1]
    last = np.searchsorted(at, merged.thread_first[1:] - 1)
    mine = (last < len(at)) & (at[np.minimum(last, len(at) - 1)] == merged.thread_first[1:] - 1)
    until[last[mine]] = ends[mine]
    splits = (parent[at] == State.HOLDING) | (parent[at] == State.RELEASED)
    some: Bools = splits & (until > merged.time[at])
    return some


def _same(keep: Bools, merged: Merged, state: Bytes, cpu: Int16s, at: Int64s) -> Bools:
    """Return which of these boundaries change nothing that is known: the state is the one before."""
    before = at - 1
    same: Bools = (
        (state[at] == state[before]) & (cpu[at] == cpu[before]) & (merged.gil[at] == merged.gil[before])
    )
    unsure = (state[at] == State.HOLDING) | (state[at] == State.RELEASED)
    same &= unsure & keep[before]
    return same


def state_table(gil_intervals: Table, states: States) -> Table:
    """Return the INTERVAL table in all states: parts of GIL intervals, with what is true of the whole."""
    table = gil_intervals[states.of]
    for name in ("start", "duration", "state", "cpu"):
        table[name] = getattr(states, name)
    table["unfinished"][:-1] &= states.of[1:] != states.of[:-1]  # only the last part's end was not seen
    return table


def cpu_interval_table(intervals: Intervals, stretches: Stretches, merged: Merged, ends: Int64s) -> Table:
    """Return the CPU_INTERVAL table; `ends` are when the threads' lives end."""
    until = np.append(merged.time[1:], 0)
    until[merged.thread_first[1:] - 1] = ends
    on = np.append(stretches.state, 0)[merged.stretch] == ON
    at = np.flatnonzero(on & (merged.stretch >= 0) & (until > merged.time))
    thread = np.searchsorted(merged.thread_first, at, "right") - 1
    table = np.empty(len(at), CPU_INTERVAL)
    table["start"] = merged.time[at]
    table["duration"] = until[at] - merged.time[at]
    table["cpu"] = stretches.cpu[merged.stretch[at]]
    table["thread"] = thread
    table["state"] = _SPLIT[intervals.state[merged.gil[at]], ON]
    return table[np.lexsort((table["start"], table["cpu"]))]


def cpu_time(stretches: Stretches, merged: Merged, ends: Int64s) -> Int64s:
    """Return how long each thread was each of `states.Cpu` in its life: shape (threads, len(Cpu)), ns."""
    item = np.flatnonzero(~merged.is_gil)
    first = np.searchsorted(item, merged.thread_first)
    time, stretch = merged.time[item], merged.stretch[item]
    until = np.append(time[1:], 0)
    until[first[1:] - 1] = ends
    state = np.where(stretch >= 0, np.append(stretches.state, 0)[stretch], UNSURE)
    times = np.zeros((len(ends), len(Cpu)), np.int64)
    for each in Cpu:
        times[:, each] = sums_of(np.where(state == each, until - time, 0), first)
    return times


def sums_of(values: Int64s, first: Int64s) -> Int64s:
    """Return the sums of groups that follow each other, exactly; some may be empty."""
    sums = np.zeros(len(first) - 1, np.int64)
    some = np.flatnonzero(np.diff(first))
    if len(some):
        sums[some] = np.add.reduceat(values, first[some])
    return sums

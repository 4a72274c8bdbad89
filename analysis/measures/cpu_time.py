"""What CPUs did for threads: time on them, the GIL held without one, wake-ups for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from ..amounts import Amounts, merged
from ..arrays import Int64s
from ..fold.one_pass import Folded
from ..model import State, Thread
from ..states import ON_A_CPU
from ..tables.cpu.onto_cpu import ON, UNSURE, Stretches
from ..tables.cpu.states import States, sums_of
from ..tables.cpu.switches import of_lives
from ..tables.trace import Trace
from .distribution import Distribution, distribution, distribution_of, distributions


@dataclass(frozen=True)
class CpuStatistics:
    """Of one thread, or the sums over several; all durations in ns.

    Attributes
    ----------
    time : int
        On a CPU, within the thread's recorded life: RUNNING, NATIVE, and on a CPU while it waits.
    seen : int
        The same with what the scheduler saw before that life and after it: an interpreter starts before its
        GIL is recorded, and goes on afterwards.
    waiting : int
        The part of `time` that was in waits.
    stalled, asleep, ready : Distribution
        Of the stretches in which it had the GIL, could go on and had no CPU; slept with the GIL; could go on
        without the GIL and had no CPU.
    preempted : int
        How often it lost its CPU though it could have gone on.
    migrations : int
        How often it went on with another CPU than it had before.
    retries : int
        Times it woke up in a wait, and blocked again without the GIL.
    unsure : int
        How long it is not known whether it had a CPU.
    """

    time: int
    seen: int
    waiting: int
    stalled: Distribution
    asleep: Distribution
    ready: Distribution
    preempted: int
    migrations: int
    retries: int
    unsure: int


WITHOUT_A_CPU: Final = (State.STALLED, State.HOLDING_ASLEEP, State.READY)
"""The states whose stretches are told of one by one."""


class _Durations(Protocol):
    """The stretches of all threads in a state."""

    def of(self, threads: slice) -> Distribution: ...


class _OfTables:
    def __init__(self, states: States, state: State) -> None:
        at = np.flatnonzero(states.state == state)
        self._durations = states.duration[at]
        self._first = np.searchsorted(at, states.first)
        self._of_thread = distributions(self._durations, self._first)

    def of(self, threads: slice) -> Distribution:
        if threads.stop == threads.start + 1:
            alone: Distribution = self._of_thread[threads.start]
            return alone
        return distribution(self._durations[self._first[threads.start] : self._first[threads.stop]])


class _OfFold:
    def __init__(self, amounts: Sequence[Amounts]) -> None:
        self._amounts = amounts

    def of(self, threads: slice) -> Distribution:
        return distribution_of(merged(self._amounts[threads]))


class CpuFigures:
    """The figures of all threads of a trace."""

    def __init__(
        self, trace: Trace, of_state: Int64s, retries: Int64s, stretches: Sequence[_Durations]
    ) -> None:
        self._tasks = np.array(trace.tasks, np.int64)
        self._stretches = stretches
        self._time, self._unsure = trace.cpu_time[:, ON], trace.cpu_time[:, UNSURE]
        self._waiting = self._time - of_state[:, list(ON_A_CPU)].sum(axis=1)
        self._seen, self._preempted, self._migrations = _of_tasks(trace)
        self._retries = retries

    @classmethod
    def from_tables(cls, trace: Trace, of_state: Int64s) -> CpuFigures:
        """Return the figures; `of_state` are the `times_in_states`."""
        states = trace.states_by_column
        retries = np.bincount(trace.retries["thread"], minlength=len(trace.threads))
        return cls(trace, of_state, retries, [_OfTables(states, state) for state in WITHOUT_A_CPU])

    @classmethod
    def from_fold(cls, trace: Trace, folded: Folded) -> CpuFigures:
        """Return the same from one pass."""
        stretches = [_OfFold([of[kind] for of in folded.stretches]) for kind in range(len(WITHOUT_A_CPU))]
        return cls(trace, folded.times, folded.retries, stretches)

    def of_thread(self, index: int) -> CpuStatistics | None:
        """Return the figures of a thread; None if the scheduler said nothing of it."""
        return self.of(slice(index, index + 1)) if self._tasks[index] >= 0 else None

    def of(self, threads: slice) -> CpuStatistics:
        """Return the sums over some threads that follow each other."""
        stalled, asleep, ready = (each.of(threads) for each in self._stretches)
        # An exec makes two threads of one task, whose time is one.
        once = np.unique(self._tasks[threads], return_index=True)[1]
        return CpuStatistics(
            time=int(self._time[threads].sum()),
            seen=int(self._seen[threads][once].sum()),
            waiting=int(self._waiting[threads].sum()),
            stalled=stalled,
            asleep=asleep,
            ready=ready,
            preempted=int(self._preempted[threads].sum()),
            migrations=int(self._migrations[threads].sum()),
            retries=int(self._retries[threads].sum()),
            unsure=int(self._unsure[threads].sum()),
        )


def times_in_states(trace: Trace) -> Int64s:
    """Return the ns of each thread in each state: shape (threads, states)."""
    states = trace.states_by_column
    times = np.zeros((len(trace.threads), len(State)), np.int64)
    there = np.bincount(states.state, minlength=len(State)) > 0
    for state in (state for state in State if there[state]):
        times[:, state] = sums_of(np.where(states.state == state, states.duration, 0), states.first)
    return times


def _of_tasks(trace: Trace) -> tuple[Int64s, Int64s, Int64s]:
    """Return what each thread's task did on CPUs, also while its GIL was not recorded.

    How long it was on one; how often it lost it though it could have gone on; how often it went on with
    another. The last two are of the thread whose life the stretch touches, the first is of the task.
    """
    seen, preempted, migrations = (np.zeros(len(trace.threads), np.int64) for _ in range(3))
    stretches = trace.stretches
    lives: dict[int, list[Thread]] = {}
    for thread, task in zip(trace.threads, trace.tasks, strict=True):
        lives.setdefault(task, []).append(thread)
    for task in lives if stretches is not None else ():
        if task >= 0 and stretches is not None:
            mine = np.array([thread.index for thread in lives[task]])
            seen[mine], preempted[mine], migrations[mine] = _of_task(stretches, task, lives[task])
    return seen, preempted, migrations


def _of_task(stretches: Stretches, task: int, lives: Sequence[Thread]) -> tuple[int, Int64s, Int64s]:
    """Return this of one task: how long, and the numbers for each of its lives."""
    preempted, migrations = np.zeros(len(lives), np.int64), np.zeros(len(lives), np.int64)
    low, high = stretches.first[task : task + 2].tolist()
    seen = of_lives(
        stretches.start,
        stretches.state,
        stretches.cpu,
        stretches.preempted_bits,
        low,
        high,
        int(stretches.end[task]),
        np.array([thread.begin for thread in lives], np.int64),
        np.array([thread.end for thread in lives], np.int64),
        preempted,
        migrations,
    )
    return seen, preempted, migrations

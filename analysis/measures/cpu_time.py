"""What CPUs did for threads: time on them, the GIL held without one, wake-ups for nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ..arrays import Int64s
from ..model import State
from ..states import ON_A_CPU
from ..tables.cpu_states import States, sums_of
from ..tables.onto_cpu import ON, UNSURE
from ..tables.trace import Trace
from .distribution import Distribution, distribution, distributions


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


class _Stretches:
    """The stretches of all threads in a state."""

    def __init__(self, states: States, state: State) -> None:
        at = np.flatnonzero(states.state == state)
        self._durations = states.duration[at]
        self._first = np.searchsorted(at, states.first)
        self.of_thread = distributions(self._durations, self._first)

    def of(self, threads: slice) -> Distribution:
        return distribution(self._durations[self._first[threads.start] : self._first[threads.stop]])


class CpuFigures:
    """The figures of all threads of a trace; `of_state` are their `times_in_states`."""

    def __init__(self, trace: Trace, of_state: Int64s) -> None:
        assert trace.scheduling is not None
        self._trace = trace
        states = trace.states_by_column
        self._stretches = {state: _Stretches(states, state) for state in WITHOUT_A_CPU}
        count = len(trace.threads)
        self._time = trace.cpu_time[:, ON]
        self._unsure = trace.cpu_time[:, UNSURE]
        self._seen = _of_tasks(trace)
        self._tasks = np.array(trace.tasks, np.int64)
        self._waiting = self._time - of_state[:, list(ON_A_CPU)].sum(axis=1)
        table = trace.on_cpu
        thread = table["thread"]
        moved = np.zeros(len(table), bool)
        moved[1:] = (thread[1:] == thread[:-1]) & (table["cpu"][1:] != table["cpu"][:-1])
        mine = thread >= 0
        self._preempted = np.bincount(thread[mine & table["preempted"]], minlength=count)
        self._migrations = np.bincount(thread[mine & moved], minlength=count)
        self._retries = np.bincount(trace.retries["thread"], minlength=count)

    def of_thread(self, index: int) -> CpuStatistics | None:
        """Return the figures of a thread; None if the scheduler said nothing of it."""
        if self._trace.tasks[index] < 0:
            return None
        return self._sums(
            slice(index, index + 1), *(each.of_thread[index] for each in self._stretches.values())
        )

    def of(self, threads: slice) -> CpuStatistics:
        """Return the sums over some threads that follow each other."""
        return self._sums(threads, *(each.of(threads) for each in self._stretches.values()))

    def _sums(
        self, threads: slice, stalled: Distribution, asleep: Distribution, ready: Distribution
    ) -> CpuStatistics:
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


def _of_tasks(trace: Trace) -> Int64s:
    """Return how long each thread's task was on a CPU, also while its GIL was not recorded."""
    stretches = trace.stretches
    tasks = np.array(trace.tasks, np.int64)
    seen = np.zeros(len(tasks), np.int64)
    if stretches is not None and (tasks >= 0).any():
        on = sums_of(np.where(stretches.state == ON, stretches.duration, 0), stretches.first)
        seen[tasks >= 0] = on[tasks[tasks >= 0]]
    return seen

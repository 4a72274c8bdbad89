"""A trace: what the OS scheduler did for its threads, and all states that are known with it."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ...arrays import Int32s, Int64s, Table
from ...dtypes import CPU_INTERVAL, NATIVE_SAMPLE, ON_CPU, RETRY
from ...model import Thread
from ...reader.code.native import NO_SAMPLES, NativeCode
from ..cpu.onto_cpu import ON
from ..cpu.retries import retry_table
from ..cpu.states import Merged, States, cpu_interval_table, merge, split, state_table, without_cpus
from ..locks.states import with_lock_waits
from .locks import TraceLocks


class TraceCpus(TraceLocks):
    """See `Trace`."""

    @cached_property
    def states_by_column(self) -> States:
        """The intervals in all states that are known: by the scheduler, and by the waits for locks."""
        if self._merged is None or self.stretches is None:
            states = without_cpus(self.intervals_by_column)
        else:
            states = split(self.intervals_by_column, self.stretches, self._merged, self.columns.end)
        return with_lock_waits(states, self.lock_waits)

    @cached_property
    def intervals(self) -> Table:
        """The INTERVAL table: shape (intervals,), sorted by (thread, start); a thread's tile its life.

        In all states that are known: with OS scheduling a hold is as many intervals as it had stretches on a
        CPU and off it. `gil_intervals` has it in one piece.
        """
        if self.scheduling is None and not len(self.lock_waits):
            return self.gil_intervals
        return state_table(self.gil_intervals, self.states_by_column)

    @cached_property
    def on_cpu(self) -> Table:
        """The ON_CPU table: shape (stretches on a CPU,), sorted by (tid, start); empty without scheduling."""
        stretches = self.stretches
        if self.scheduling is None or stretches is None:
            return np.empty(0, ON_CPU)
        of_task = np.repeat(np.arange(len(self.scheduling.tasks)), np.diff(stretches.first))
        on = np.flatnonzero(stretches.state == ON)
        table = np.empty(len(on), ON_CPU)
        for name in ("start", "duration", "cpu", "preempted"):
            table[name] = getattr(stretches, name)[on]
        task = of_task[on]
        table["tid"] = np.array([each.tid for each in self.scheduling.tasks], np.int32)[task]
        table["thread"] = self._thread_at(task, table["start"], table["start"] + table["duration"])
        return table

    @cached_property
    def cpu_intervals(self) -> Table:
        """The CPU_INTERVAL table: who ran on which CPU, sorted by (cpu, start); empty without scheduling."""
        if self._merged is None or self.stretches is None:
            return np.empty(0, CPU_INTERVAL)
        return cpu_interval_table(self.intervals_by_column, self.stretches, self._merged, self.columns.end)

    @cached_property
    def retries(self) -> Table:
        """The RETRY table: shape (retries,), sorted by (thread, start); empty without scheduling."""
        if self._merged is None or self.stretches is None:
            return np.empty(0, RETRY)
        return retry_table(self.intervals_by_column, self.stretches, self._merged)

    @property
    def native_codes(self) -> tuple[NativeCode, ...]:
        """Functions of libraries that threads ran, and libraries where they have no symbols."""
        return (self.scheduling.native if self.scheduling is not None else NO_SAMPLES).codes

    @cached_property
    def native_sampled(self) -> Table:
        """The samples of native code as they were recorded: what threads did then is not said."""
        samples = self.scheduling.native if self.scheduling is not None else NO_SAMPLES
        if not len(samples.time):
            return np.empty(0, NATIVE_SAMPLE)
        thread = self._thread_at(samples.task, samples.time, samples.time + 1)
        order = np.flatnonzero(thread >= 0)
        order = order[np.lexsort((samples.time[order], thread[order]))]
        table = np.zeros(len(order), NATIVE_SAMPLE)
        table["thread"], table["time"], table["code"] = (
            thread[order],
            samples.time[order],
            samples.code[order],
        )
        return table

    def _thread_at(self, task: Int64s, start: Int64s, end: Int64s) -> Int64s:
        """Return which thread each stretch of a task is of; -1: outside of the lives of its threads."""
        thread = np.full(len(task), -1)
        of_task: dict[int, list[Thread]] = {}
        for each, index in zip(self.threads, self.tasks, strict=True):
            of_task.setdefault(index, []).append(each)
        bounds = np.searchsorted(task, np.arange(len(self.scheduling.tasks if self.scheduling else ()) + 1))
        for index, lives in of_task.items():
            if index < 0:
                continue
            mine = slice(int(bounds[index]), int(bounds[index + 1]))
            for life in lives:
                thread[mine][(start[mine] < life.end) & (end[mine] > life.begin)] = life.index
        return thread

    def _state_at(self, thread: Int32s, time: Int64s) -> Int64s:
        """Return the positions, in `states_by_column`, of what threads did at these times of their lives."""
        states = self.states_by_column
        at = np.zeros(len(thread), np.int64)
        for each in np.unique(thread).tolist():
            mine = thread == each
            first, last = states.first[each : each + 2].tolist()
            at[mine] = first + np.searchsorted(states.start[first:last], time[mine], "right") - 1
            at[mine] = np.maximum(at[mine], first)
        return at

    @cached_property
    def _merged(self) -> Merged | None:
        if self.stretches is None:
            return None
        return merge(self.columns, self.intervals_by_column, self.stretches, self.tasks)

"""Scheduler events → when each task was on a CPU, when it was off, and when nobody knows.

Between two events of a task nothing happened to it: coming onto a CPU is followed by leaving it. So each
stretch between two events is known twice, from the event before it and from the one after it. Where records
were lost, or the two don't agree, it is unknown: nothing is guessed.

The event before a stretch off a CPU says why the task left: it was preempted, and could have gone on all the
time (READY), or it went to sleep (ASLEEP). The kernel says nothing of the moment at which a sleeping task is
woken up: that and the time until it gets a CPU are part of its sleep. A task that was seen to begin is READY
until it gets its first CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from ...arrays import Bools, Bytes, CpuNumbers, Int64s
from ...reader.sched.scheduling import Scheduling
from ...reader.sched.streams import Loss
from ...states import Cpu
from .switches import Between, all_running

_Number = TypeVar("_Number", bound=np.generic)

UNSURE: Final = Cpu.UNSURE
OFF: Final = Cpu.OFF
ON: Final = Cpu.ON


@dataclass(frozen=True)
class Stretches:
    """On a CPU, or off it: stretches that tile each task's life.

    Attributes
    ----------
    start : ndarray of int64
        ns; none is empty, and each ends where the task's next one starts.
    state : ndarray of uint8
        `states.Cpu`.
    cpu : ndarray of int8 or int16
        Where, when ON; -1: not there, or not known.
    preempted_bits : ndarray of uint8, shape (stretches / 8, rounded up)
        A bit for each, the lowest of a byte first: ON, and ended though the task could have gone on.
    first : ndarray of int64, shape (tasks + 1,)
        Task i has the stretches first[i] to first[i + 1].
    end : ndarray of int64, shape (tasks,)
        When the last one of each task ends.
    """

    start: Int64s
    state: Bytes
    cpu: CpuNumbers
    preempted_bits: Bytes
    first: Int64s
    end: Int64s

    @property
    def preempted(self) -> Bools:
        """Whether each was ON, and ended though the task could have gone on: shape (stretches,)."""
        bits = np.unpackbits(self.preempted_bits, count=len(self.start), bitorder="little")
        return bits.view(np.bool_)

    @cached_property
    def duration(self) -> Int64s:
        """How long each is, ns: shape (stretches,)."""
        until = np.empty(len(self.start), np.int64)
        until[:-1] = self.start[1:]
        some = np.diff(self.first) > 0
        until[self.first[1:][some] - 1] = self.end[some]
        until -= self.start
        return until

    def until(self, task: int, low: int, high: int) -> Int64s:
        """Return when the stretches low to high of a task end, ns."""
        if high < self.first[task + 1]:
            return self.start[low + 1 : high + 1]
        return np.append(self.start[low + 1 : high], self.end[task])

    def all_running(self, cpus: int, begin: Int64s, end: Int64s) -> Int64s:
        """Return how long, within some stretches of time, as many tasks ran as there are CPUs, ns."""
        times = np.concatenate([begin, end])
        order = np.argsort(times, kind="stable")
        until = np.empty(len(times), np.int64)
        until[order] = all_running(self.start, self.state, self.first, self.end, cpus, times[order])
        return until[len(begin) :] - until[: len(begin)]

    def touching(self, task: int, begin: int, end: int) -> tuple[int, int]:
        """Return from which to which of them touch a life of a task."""
        low, high = int(self.first[task]), int(self.first[task + 1])
        starts = self.start[low:high]
        since = low + max(int(np.searchsorted(starts, begin, "right")) - 1, 0)
        until = low + int(np.searchsorted(starts, end, "left"))
        if since < until and self.until(task, since, since + 1)[0] <= begin:
            since += 1
        return since, max(since, until)


class OnCpus:
    """Stretches, as long as somebody wants them: given up, they are made anew for who asks."""

    def __init__(self, scheduling: Scheduling) -> None:
        self._scheduling = scheduling
        self._made = [make_stretches(scheduling)]

    def stretches(self) -> Stretches:
        """Return them.

        Raises
        ------
        TraceFormatError
            The events were written over since.
        """
        if not self._made:
            self._made.append(make_stretches(self._scheduling))
        return self._made[0]

    def give_up(self) -> None:
        """Let go of their memory, of which millions take most that a trace has."""
        self._made.clear()


def make_stretches(scheduling: Scheduling) -> Stretches:
    """Return when each task had a CPU, in the memory of the events: they are taken over."""
    tasks = scheduling.tasks
    events = scheduling.events.taken()
    start, state, cpu = events.time, events.kind, events.cpu
    gaps = len(start) + len(tasks)  # a task has one more than events
    # There are few more stretches than gaps: where records were lost. What is not used is never touched.
    room = 3 * gaps if scheduling.losses else gaps
    start, state, cpu = _with_room(start, room), _with_room(state, room), _with_room(cpu, room)
    preempted, first = np.zeros(_bytes_of(room), np.uint8), np.zeros(len(tasks) + 1, np.int64)
    end = np.array([task.end for task in tasks], np.int64)
    cpus = range(max((loss.cpu for loss in scheduling.losses), default=-1) + 1)
    of_cpus = [[loss for loss in scheduling.losses if loss.cpu == each] for each in cpus]
    between = Between(
        np.array([task.begin for task in tasks], np.int64),
        end,
        np.array([task.exited for task in tasks], np.uint8),
        scheduling.end is not None,
        _in_order(scheduling.losses),
        _joined([_in_order(losses) for losses in of_cpus]),
        np.cumsum([0, *(len(losses) for losses in of_cpus)], dtype=np.int64),
    )
    used = between.stretches(start, state, cpu, scheduling.first, preempted, first)
    return Stretches(start[:used], state[:used], cpu[:used], preempted[: _bytes_of(used)], first, end)


def _bytes_of(bits: int) -> int:
    return (bits + 7) // 8


def _with_room(column: npt.NDArray[_Number], room: int) -> npt.NDArray[_Number]:
    """Return a column with room behind its values: in the memory that it is the begin of, if that has it."""
    base = column.base
    if isinstance(base, np.ndarray) and base.dtype == column.dtype and len(base) >= room:
        return base[:room]
    larger = np.empty(room, column.dtype)
    larger[: len(column)] = column
    return larger


def _in_order(losses: Sequence[Loss]) -> tuple[Int64s, Int64s]:
    """Return begins of losses, sorted, and the latest end up to each."""
    losses = sorted(losses, key=lambda loss: loss.begin)
    begin = np.array([loss.begin for loss in losses], np.int64)
    return begin, np.maximum.accumulate(np.array([loss.end for loss in losses], np.int64))


def _joined(parts: Sequence[tuple[Int64s, Int64s]]) -> tuple[Int64s, Int64s]:
    none = np.zeros(0, np.int64)
    begin, end = (np.concatenate([none, *(part[at] for part in parts)]) for at in range(2))
    return begin, end

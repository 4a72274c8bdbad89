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

from dataclasses import dataclass
from typing import Final

import numpy as np

from ..arrays import Bools, Bytes, Int16s, Int64s
from ..reader.format import Sched
from ..reader.scheduling import Scheduling
from ..states import Cpu

UNSURE: Final = Cpu.UNSURE
OFF: Final = Cpu.OFF
ON: Final = Cpu.ON
_EXIT: Final = 255
_NOTHING: Final = 0


@dataclass(frozen=True)
class Stretches:
    """On a CPU, or off it: stretches that tile each task's life.

    Attributes
    ----------
    start, duration : ndarray of int64
        ns; none is empty.
    state : ndarray of uint8
        `states.Cpu`.
    cpu : ndarray of int16
        Where, when ON; -1: not there, or not known.
    preempted : ndarray of bool
        ON, and ended though the task could have gone on.
    first : ndarray of int64, shape (tasks + 1,)
        Task i has the stretches first[i] to first[i + 1].
    """

    start: Int64s
    duration: Int64s
    state: Bytes
    cpu: Int16s
    preempted: Bools
    first: Int64s

    def touching(self, task: int, begin: int, end: int) -> tuple[int, int]:
        """Return from which to which of them touch a life of a task."""
        low, high = int(self.first[task]), int(self.first[task + 1])
        starts = self.start[low:high]
        since = low + max(int(np.searchsorted(starts, begin, "right")) - 1, 0)
        until = low + int(np.searchsorted(starts, end, "left"))
        if since < until and self.start[since] + self.duration[since] <= begin:
            since += 1
        return since, max(since, until)


@dataclass(frozen=True)
class _Gaps:
    """What lies between two events of a task, or one and its begin or end: one more than it has events."""

    start: Int64s
    end: Int64s
    before: Bytes  # kinds of the events around it: _NOTHING at a begin, or at an end that was not seen
    after: Bytes
    cpu_before: Int16s
    cpu_after: Int16s
    first: Int64s


def make_stretches(scheduling: Scheduling) -> Stretches:
    """Return when each task had a CPU."""
    gaps = _gaps(scheduling)
    earlier, later = _state_after(gaps.before), _state_before(gaps.after)
    newborn = (gaps.before == _NOTHING) & (gaps.after == Sched.SCHED_IN)
    earlier[newborn] = Cpu.READY  # its first event is later than its begin: that was told by itself
    cpu = np.where(earlier == ON, gaps.cpu_before, gaps.cpu_after)
    state = np.where(earlier == UNSURE, later, earlier)
    agree = ((earlier == ON) == (later == ON)) | (earlier == UNSURE) | (later == UNSURE)
    moved = (earlier == ON) & (gaps.cpu_before != gaps.cpu_after) & (gaps.after != _EXIT) & (later == ON)
    state[~agree | moved] = UNSURE
    if scheduling.end is None:  # what came after its last event may not have been written
        state[(gaps.after == _NOTHING) & (gaps.before != _NOTHING)] = UNSURE
    at, begin, end = _lossy(scheduling, gaps)
    start = gaps.start
    which = np.arange(len(start))
    preempted = gaps.after == Sched.SCHED_PREEMPTED
    if len(at):
        # Known up to the first loss, not during losses, and again what the event after the last one says.
        state[at] = np.where(begin > start[at], earlier[at], UNSURE)
        start = np.insert(start, np.repeat(at + 1, 2), np.stack([begin, end], 1).ravel())
        state = np.insert(
            state, np.repeat(at + 1, 2), np.stack([np.full(len(at), UNSURE), later[at]], 1).ravel()
        )
        cpu = np.insert(
            cpu, np.repeat(at + 1, 2), np.stack([np.full(len(at), -1), gaps.cpu_after[at]], 1).ravel()
        )
        preempted = np.insert(
            preempted, np.repeat(at + 1, 2), np.stack([np.zeros(len(at), bool), preempted[at]], 1).ravel()
        )
        which = np.insert(which, np.repeat(at + 1, 2), np.repeat(at, 2))
        cut = np.searchsorted(which, at)
        preempted[cut] = False
    lives = np.searchsorted(which, gaps.first)
    duration = np.diff(start, append=0)
    duration[lives[1:] - 1] = gaps.end[gaps.first[1:] - 1] - start[lives[1:] - 1]
    keep = duration > 0
    on = state == ON
    cpu = np.where(on, cpu, -1).astype(np.int16)
    first = np.concatenate([[0], np.cumsum(keep)])[lives]
    return Stretches(
        start[keep], duration[keep], state[keep].astype(np.uint8), cpu[keep], (preempted & on)[keep], first
    )


def _gaps(scheduling: Scheduling) -> _Gaps:
    tasks = scheduling.tasks
    bounds = scheduling.first
    begins, ends = bounds[:-1], bounds[1:]
    begin = np.array([task.begin for task in tasks], np.int64)
    end = np.array([task.end for task in tasks], np.int64)
    exited = np.array([task.exited for task in tasks], bool)
    kind, cpu = scheduling.kind, scheduling.cpu
    return _Gaps(
        start=np.insert(scheduling.time, begins, begin),
        end=np.insert(scheduling.time, ends, end),
        before=np.insert(kind, begins, _NOTHING),
        after=np.insert(kind, ends, np.where(exited, _EXIT, _NOTHING)),
        cpu_before=np.insert(cpu, begins, -1),
        cpu_after=np.insert(cpu, ends, -1),
        first=bounds + np.arange(len(bounds)),
    )


def _state_after(kind: Bytes) -> Bytes:
    table = np.zeros(256, np.uint8)
    table[Sched.SCHED_IN] = ON
    table[Sched.SCHED_OUT] = Cpu.ASLEEP
    table[Sched.SCHED_PREEMPTED] = Cpu.READY
    return table[kind]


def _state_before(kind: Bytes) -> Bytes:
    table = np.zeros(256, np.uint8)
    table[Sched.SCHED_IN] = OFF
    table[[Sched.SCHED_OUT, Sched.SCHED_PREEMPTED, _EXIT]] = ON  # a thread runs when it exits
    return table[kind]


def _lossy(scheduling: Scheduling, gaps: _Gaps) -> tuple[Int64s, Int64s, Int64s]:
    """Return the gaps in which the task may have come onto a CPU, or left its own, and nobody saw it.

    Also from when to when: the losses' begin and end, cut to the gap. A task that is on a CPU before and
    after the gap, with nothing lost there, was there all the time, whatever was lost elsewhere.
    """
    losses = sorted(scheduling.losses, key=lambda loss: loss.begin)
    none = np.zeros(0, np.int64)
    if not losses:
        return none, none, none
    begins = np.array([loss.begin for loss in losses], np.int64)
    ends = np.maximum.accumulate(np.array([loss.end for loss in losses], np.int64))
    first = np.searchsorted(ends, gaps.start, "right")  # the first loss that ends in the gap, or later
    last = np.searchsorted(begins, gaps.end, "left") - 1
    touched = (first <= last) & (gaps.end > gaps.start)
    same = (_state_after(gaps.before) == ON) & (_state_before(gaps.after) == ON)
    same &= gaps.cpu_before == gaps.cpu_after
    for cpu in {loss.cpu for loss in losses}:
        here = [loss for loss in losses if loss.cpu == cpu]
        since = np.array([loss.begin for loss in here], np.int64)
        until = np.maximum.accumulate(np.array([loss.end for loss in here], np.int64))
        mine = np.searchsorted(until, gaps.start, "right") < np.searchsorted(since, gaps.end, "left")
        same &= ~((gaps.cpu_before == cpu) & mine)
    at = np.flatnonzero(touched & ~same)
    begin = np.maximum(gaps.start[at], begins[first[at]])
    end = np.minimum(gaps.end[at], ends[last[at]])
    return at, begin, end

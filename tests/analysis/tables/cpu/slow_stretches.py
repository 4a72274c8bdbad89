"""Stretches of tasks the slow obvious way: all gaps between events at once, by column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from analysis.arrays import Bools, Bytes, CpuNumbers, Int16s, Int64s
from analysis.reader.format import Sched
from analysis.reader.sched.scheduling import Scheduling
from analysis.states import Cpu

UNSURE: Final = Cpu.UNSURE
OFF: Final = Cpu.OFF
ON: Final = Cpu.ON
_EXIT: Final = 255
_NOTHING: Final = 0
_AT_ONCE: Final = 1 << 16
_Number = TypeVar("_Number", bound=np.generic)


@dataclass(frozen=True)
class _Gaps:
    """What lies between two events of a task, or one and its begin or end: one more than it has events."""

    start: Int64s
    end: Int64s
    before: Bytes  # kinds of the events around it: _NOTHING at a begin, or at an end that was not seen
    after: Bytes
    cpu_before: CpuNumbers
    cpu_after: CpuNumbers


def make_stretches(scheduling: Scheduling) -> tuple[Int64s, Int64s, Bytes, Int16s, Bools, Int64s]:
    """Return start, duration, state, cpu and preempted of stretches, and the first of each task."""
    bounds = scheduling.first + np.arange(len(scheduling.first))  # of gaps: a task has one more than events
    size, used = int(bounds[-1]), 0
    # There are few more of them than gaps: where records were lost. What is not used is never touched.
    room = size + 2 * size if scheduling.losses else size
    start, duration = np.empty(room, np.int64), np.empty(room, np.int64)
    state, cpu, preempted = np.empty(room, np.uint8), np.empty(room, np.int16), np.empty(room, np.bool_)
    first = np.zeros(len(bounds), np.int64)
    for low in range(0, size, _AT_ONCE):
        gaps = _gaps(scheduling, bounds, low, min(low + _AT_ONCE, size))
        part = _stretches_of(scheduling, gaps)
        to = used + len(part.start)
        start[used:to], duration[used:to], state[used:to] = part.start, part.duration, part.state
        cpu[used:to], preempted[used:to] = part.cpu, part.preempted
        begins = slice(*np.searchsorted(bounds, [low, low + len(gaps.start)]).tolist())
        first[begins] = used + part.before[bounds[begins] - low]
        used = to
    first[np.searchsorted(bounds, size) :] = used
    return start[:used], duration[:used], state[:used], cpu[:used], preempted[:used], first


@dataclass(frozen=True)
class _Part:
    """The stretches of some gaps; `before` are how many come before each gap."""

    start: Int64s
    duration: Int64s
    state: Bytes
    cpu: Int16s
    preempted: Bools
    before: Int64s


def _stretches_of(scheduling: Scheduling, gaps: _Gaps) -> _Part:
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
    start, until = gaps.start, gaps.end
    which = np.arange(len(start))
    preempted = gaps.after == Sched.SCHED_PREEMPTED
    if len(at):
        # Known up to the first loss, not during losses, and again what the event after the last one says.
        state[at] = np.where(begin > start[at], earlier[at], UNSURE)
        behind = np.repeat(at + 1, 2)
        ends = np.insert(until, behind, np.stack([end, until[at]], 1).ravel())
        start = np.insert(start, behind, np.stack([begin, end], 1).ravel())
        state = np.insert(state, behind, np.stack([np.full(len(at), UNSURE), later[at]], 1).ravel())
        cpu = np.insert(cpu, behind, np.stack([np.full(len(at), -1), gaps.cpu_after[at]], 1).ravel())
        preempted = np.insert(
            preempted, behind, np.stack([np.zeros(len(at), bool), preempted[at]], 1).ravel()
        )
        which = np.insert(which, behind, np.repeat(at, 2))
        cut = np.searchsorted(which, at)
        preempted[cut] = False
        ends[cut] = begin
        until = ends
    keep = until > start
    before = np.concatenate([[0], np.cumsum(keep)])[np.searchsorted(which, np.arange(len(gaps.start)))]
    on = state == ON
    cpu = np.where(on, cpu, -1).astype(np.int16)
    return _Part(
        start[keep],
        (until - start)[keep],
        state[keep].astype(np.uint8),
        cpu[keep],
        (preempted & on)[keep],
        before,
    )


def _gaps(scheduling: Scheduling, bounds: Int64s, low: int, high: int) -> _Gaps:
    """Return the gaps low … high; those of task i are bounds[i] … bounds[i + 1]."""
    number = np.arange(low, high)
    task = np.searchsorted(bounds, number, "right") - 1
    opens, closes = number == bounds[task], number + 1 == bounds[task + 1]
    after = number - task  # the event at its end
    most = max(len(scheduling.time) - 1, 0)
    before, after = np.clip(after - 1, 0, most), np.clip(after, 0, most)
    tasks = scheduling.tasks[int(task[0]) : int(task[-1]) + 1]
    of = task - task[0]

    def chosen(
        column: npt.NDArray[_Number], at: Int64s, instead: Bools, value: npt.NDArray[_Number]
    ) -> npt.NDArray[_Number]:
        found = column[at] if len(column) else np.zeros(len(at), column.dtype)
        found[instead] = value[of[instead]]
        return found

    begin = np.array([each.begin for each in tasks], np.int64)
    end = np.array([each.end for each in tasks], np.int64)
    nothing, nowhere = np.full(len(tasks), _NOTHING, np.uint8), np.full(len(tasks), -1, np.int16)
    exited = np.array([_EXIT if each.exited else _NOTHING for each in tasks], np.uint8)
    return _Gaps(
        start=chosen(scheduling.time, before, opens, begin),
        end=chosen(scheduling.time, after, closes, end),
        before=chosen(scheduling.kind, before, opens, nothing),
        after=chosen(scheduling.kind, after, closes, exited),
        cpu_before=chosen(scheduling.cpu, before, opens, nowhere),
        cpu_after=chosen(scheduling.cpu, after, closes, nowhere),
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

"""Events → what threads did about Python's other locks: waits, wakes, spins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...arrays import Bools, Bytes, Int32s, Int64s, UInt32s
from ...dtypes import LockOutcome
from ...reader.format import LONG, Event
from ..columns import SideColumns

_ENDS = {
    Event.LOCK_ACQUIRED: LockOutcome.ACQUIRED,
    Event.LOCK_TIMEOUT: LockOutcome.TIMEOUT,
    Event.LOCK_INTERRUPTED: LockOutcome.INTERRUPTED,
}
_OUTCOME = np.zeros(256, np.uint8)
_OUTCOME[list(_ENDS)] = list(_ENDS.values())


@dataclass(frozen=True)
class LockWaits:
    """Waits by column, sorted by (thread, start); `number` and `frame` are the events', 0: not known."""

    thread: Int64s
    start: Int64s
    end: Int64s
    number: UInt32s
    outcome: Bytes
    frame: UInt32s
    spin: Int64s


@dataclass(frozen=True)
class LockWakes:
    """Wakes by column, sorted by (thread, time).

    `tid` is the waiter's, 0: any of several; `callers` tell what let the world go on, 0: not known.
    """

    thread: Int64s
    time: Int64s
    number: UInt32s
    frame: UInt32s
    tid: UInt32s
    callers: UInt32s


@dataclass(frozen=True)
class LockSpins:
    """Spins by column, sorted by (thread, start)."""

    thread: Int64s
    start: Int64s
    duration: Int64s
    parked: Bools


def waits_of(side: SideColumns, ends: Int64s) -> LockWaits:
    """Return the waits; `ends` are when the threads' lives end."""
    about = np.flatnonzero((side.kind == Event.LOCK_WAIT) | (_OUTCOME[side.kind] != 0))
    thread = side.thread_of(about)
    begins = np.flatnonzero(side.kind[about] == Event.LOCK_WAIT)
    following = begins + 1
    same = np.zeros(len(begins), bool)
    inside = following < len(about)
    same[inside] = thread[following[inside]] == thread[begins[inside]]
    nearest = about[np.minimum(following, len(about) - 1)] if len(about) else about
    at = about[begins]
    return LockWaits(
        thread=thread[begins],
        start=side.time[at],
        end=np.where(same, side.time[nearest], ends[thread[begins]]) if len(at) else side.time[at],
        number=side.arg[at],
        outcome=np.where(same, _OUTCOME[side.kind[nearest]], 0).astype(np.uint8)
        if len(at)
        else side.kind[at],
        frame=_told(side, at, 1, Event.LOCK_FRAME),
        spin=_duration(_told(side, at, -1, Event.LOCK_SPIN)),
    )


def wakes_of(side: SideColumns) -> LockWakes:
    """Return the wakes."""
    at = np.flatnonzero(side.kind == Event.LOCK_WAKE)
    tid = _told(side, at, 1, Event.LOCK_WAITER)
    frame = np.where(
        tid != 0, _told(side, at, 2, Event.LOCK_FRAME), _told(side, at, 1, Event.LOCK_FRAME)
    ).astype(np.uint32)
    callers = np.zeros(len(at), np.uint32)
    if (side.kind == Event.LOCK_CALLERS).any():
        for step in (3, 2, 1):  # after the frame and the waiter, of which either may be missing
            told = _told(side, at, step, Event.LOCK_CALLERS)
            first = step == 1 + (tid != 0).astype(np.int64) + (frame != 0)
            callers = np.where(first, told, callers).astype(np.uint32)
    return LockWakes(side.thread_of(at), side.time[at], side.arg[at], frame, tid, callers)


@dataclass(frozen=True)
class LockHolds:
    """What waiting threads have by column, sorted by (thread, time); `wait` is the number of the wait."""

    thread: Int64s
    time: Int64s
    number: UInt32s
    frame: UInt32s
    wait: Int64s


def holds_in_waits(side: SideColumns) -> LockHolds:
    """Return what threads had when their waits began."""
    at = np.flatnonzero(side.kind == Event.LOCK_HELD)
    begins = np.flatnonzero(side.kind == Event.LOCK_WAIT)
    wait = np.searchsorted(begins, at) - 1
    known = wait >= 0
    known[known] = side.thread_of(begins[wait[known]]) == side.thread_of(at[known])
    at, wait = at[known], wait[known]
    return LockHolds(
        side.thread_of(at), side.time[at], side.arg[at], _told(side, at, 1, Event.LOCK_FRAME), wait
    )


def spins_of(side: SideColumns) -> LockSpins:
    """Return the spins."""
    at = np.flatnonzero(side.kind == Event.LOCK_SPIN)
    parked = _is(side, at, 1, Event.LOCK_WAIT)
    return LockSpins(side.thread_of(at), side.time[at], _duration(side.arg[at]), parked)


def _is(side: SideColumns, at: Int64s, step: int, kind: Event) -> Bools:
    """Return whether the same thread's next event but `step` is of this kind."""
    there = at + step
    inside = (there >= 0) & (there < len(side.kind))
    found = np.zeros(len(at), bool)
    there = there[inside]
    found[inside] = (side.kind[there] == kind) & (side.thread_of(there) == side.thread_of(at[inside]))
    return found


def _told(side: SideColumns, at: Int64s, step: int, kind: Event) -> UInt32s:
    """Return the arg of that event, 0 where there is none."""
    arg = np.zeros(len(at), np.uint32)
    found = _is(side, at, step, kind)
    arg[found] = side.arg[at[found] + step]
    return arg


def _duration(arg: UInt32s) -> Int64s:
    """Return ns; what was too long to be told is as long as can be told."""
    return np.minimum(arg, LONG).astype(np.int64)


def threads_by_tid(tid: UInt32s, time: Int64s, lives: Sequence[tuple[int, int, int, int]]) -> Int32s:
    """Return which of a process's threads has a tid at a time; -1: none.

    Parameters
    ----------
    lives : sequence of (index, tid, begin, end)
        Of its threads, in the order of their begins.
    """
    found = np.full(len(tid), -1, np.int32)
    for index, of, begin, end in lives:
        found[(tid == of) & (time >= begin) & (time <= end)] = index
    return found


def match(waits: LockWaits, wakes: LockWakes, wait_lock: Int32s, wake_lock: Int32s, waiter: Int32s) -> Int64s:
    """Return for each wait the wake that ended it, -1: none was seen.

    A wake that names its waiter ended the wait that this thread was in, if that ended with the lock: of
    several the last one, for others may take what was let go. Any other ended one of the waits for its lock:
    the first to end after it.

    Parameters
    ----------
    wait_lock, wake_lock : ndarray of int32
        Indices of the locks, -1: not known.
    waiter : ndarray of int32
        The thread that a wake names, -1: none.
    """
    ended_by = np.full(len(waits.start), -1, np.int64)
    acquired = waits.outcome == LockOutcome.ACQUIRED
    named = np.flatnonzero(waiter >= 0)
    named = named[np.argsort(wakes.time[named], kind="stable")]
    at = _last_before(waits.thread, waits.start, waiter[named].astype(np.int64), wakes.time[named])
    good = at >= 0
    good[good] = acquired[at[good]] & (wait_lock[at[good]] == wake_lock[named[good]])
    good[good] &= wakes.time[named[good]] <= waits.end[at[good]] + SKEW
    ended_by[at[good]] = named[good]  # in order of time: the last one stays

    free = np.ones(len(wakes.time), bool)
    free[ended_by[ended_by >= 0]] = False
    others = np.flatnonzero(free & (wake_lock >= 0))
    open_ = np.flatnonzero(acquired & (ended_by < 0) & (wait_lock >= 0))
    others = others[np.lexsort((wakes.time[others], wake_lock[others]))]
    open_ = open_[np.lexsort((waits.end[open_], wait_lock[open_]))]
    at = _last_before(
        wake_lock[others].astype(np.int64),
        wakes.time[others],
        wait_lock[open_].astype(np.int64),
        waits.end[open_],
    )
    good = at >= 0
    good[good] = wakes.time[others[at[good]]] >= waits.start[open_[good]]
    _, first = np.unique(at[good], return_index=True)
    chosen = np.flatnonzero(good)[first]
    ended_by[open_[chosen]] = others[at[chosen]]
    return ended_by


SKEW = 10_000
"""ns by which a wake may seem later than what it ended: two CPUs have two clocks."""


def _last_before(group: Int64s, time: Int64s, of: Int64s, until: Int64s) -> Int64s:
    """Return for each `of`, `until` the last position of that group with a time not after it; -1: none.

    `group`, `time` are sorted.
    """
    if not len(group) or not len(of):
        return np.full(len(of), -1, np.int64)
    base = min(int(time.min()), int(until.min()))
    span = max(int(time.max()), int(until.max())) - base + 1
    key = group * span + (time - base)
    at: Int64s = np.searchsorted(key, of * span + (until - base), "right") - 1
    at[(at >= 0) & (group[np.maximum(at, 0)] != of)] = -1
    return at

"""Through whose hands a lock went while threads waited for it: where each wait is cut.

Takes that find a lock free are not recorded, but whoever lets go of one that others wait for is. So between
two such moments the lock was with the thread that let it go next, and a wait is split at them. What follows
the moment in which the waiter itself was let go is on nobody's account: it is woken up. Of what is waited for
until it happens (a notify, an event), and of the world's stops, all until then is with who did it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...arrays import Bools, Int32s, Int64s, Table
from ...model import Lock


@dataclass(frozen=True)
class Hands:
    """Waits, and the moments in which what they are for changed hands.

    Attributes
    ----------
    start, let_go, end : ndarray of int64, shape (waits,)
        `let_go` is when the waiter was, `end` when nobody was seen to do it.
    first, last : ndarray of int64, shape (waits,)
        Which of the moments are within, but for the one in which the waiter was let go: first to last.
    holder, frame : ndarray of int32, shape (waits,)
        Who had it in the last piece, and where that one let it go; -1: not known.
    time, thread, frame_then : ndarray of int64, int32, int32, shape (moments,)
        When who let a lock go, by lock and time, and where.
    """

    start: Int64s
    let_go: Int64s
    end: Int64s
    first: Int64s
    last: Int64s
    holder: Int32s
    frame: Int32s
    time: Int64s
    thread: Int32s
    frame_then: Int32s


def hands_of(waits: Table, wakes: Table, locks: Sequence[Lock]) -> Hands:
    """Return this of the LOCK_WAIT and LOCK_WAKE tables."""
    end = waits["start"] + waits["duration"]
    ended = waits["wake"] >= 0
    let_go = end.copy()
    let_go[ended] = np.clip(wakes["time"][waits["wake"][ended]], waits["start"][ended], end[ended])
    order = np.lexsort((wakes["time"], wakes["lock"]))
    by_lock = wakes[order]
    exclusive = mutual(locks, waits)
    first, last = _meanwhile(waits, by_lock, exclusive, ended, let_go)

    by = waits["wake"].astype(np.int64)
    # A wait that nobody ended: whoever let it go next had it at its end.
    next_one = np.flatnonzero(~ended & exclusive & (last < len(by_lock)))
    next_one = next_one[by_lock["lock"][last[next_one]] == waits["lock"][next_one]]
    by[next_one] = order[last[next_one]]
    holder, frame = np.full(len(waits), -1, np.int32), np.full(len(waits), -1, np.int32)
    known = by >= 0
    holder[known], frame[known] = wakes["thread"][by[known]], wakes["frame"][by[known]]
    return Hands(
        start=waits["start"].copy(),
        let_go=let_go,
        end=end,
        first=first,
        last=last,
        holder=holder,
        frame=frame,
        time=by_lock["time"].copy(),
        thread=by_lock["thread"].copy(),
        frame_then=by_lock["frame"].copy(),
    )


def mutual(locks: Sequence[Lock], waits: Table) -> Bools:
    """Return which waits are for what one thread has at a time, but the world's stops."""
    kinds = np.array([lock.mutual for lock in locks] + [False])  # lock -1 is the last
    found: Bools = kinds[waits["lock"]] & ~waits["stopped"]
    return found


def _meanwhile(
    waits: Table, by_lock: Table, exclusive: Bools, ended: Bools, let_go: Int64s
) -> tuple[Int64s, Int64s]:
    """Return which wakes, in order of lock and time, came in each wait before the one that ended it."""
    if not len(waits):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    lock, time = by_lock["lock"].astype(np.int64), by_lock["time"]
    base = int(min(waits["start"].min(), time.min(initial=waits["start"].min())))
    span = int(max(let_go.max(), time.max(initial=0))) - base + 2
    key = (lock + 1) * span + (time - base)
    mine = (waits["lock"].astype(np.int64) + 1) * span
    first = np.searchsorted(key, mine + (waits["start"] - base), "right")
    last = np.searchsorted(key, mine + (let_go - base), "left")
    # Of one moment: those before its own.
    last = np.where(ended, last, np.searchsorted(key, mine + (let_go - base), "right"))
    last = np.where(exclusive, np.maximum(last, first), first)
    return first, last


@dataclass(frozen=True)
class Asked:
    """What is asked about the pieces of waits: how long had who had it waited for a GIL by begin and end?

    Attributes
    ----------
    thread, time : ndarray of int64
        Whom it is asked of, and when: sorted.
    here, before : ndarray of int64, shape (moments of Hands,)
        Which of them is: who let it go then; the same one when the one before did.
    first, since, until : ndarray of int64, shape (waits,)
        Who had it in the first piece, at its begin; in the last one, at both ends. -1: nobody is known.
    """

    thread: Int64s
    time: Int64s
    here: Int64s
    before: Int64s
    first: Int64s
    since: Int64s
    until: Int64s


def asked_of(hands: Hands) -> Asked:
    """Return what has to be asked."""
    several = hands.last > hands.first
    most = max(len(hands.time) - 1, 0)
    earlier = np.concatenate([hands.time[:1], hands.time[:-1]])
    first_of = hands.holder.copy()
    first_of[several] = hands.thread[hands.first[several]]
    since = hands.start.copy()
    since[several] = hands.time[np.clip(hands.last[several] - 1, 0, most)]
    threads = [hands.thread, hands.thread, first_of, hands.holder, hands.holder]
    times = [hands.time, earlier, hands.start, since, hands.let_go]
    thread, time = np.concatenate(threads).astype(np.int64), np.concatenate(times)
    order = np.lexsort((time, thread))
    order = order[np.searchsorted(thread[order], 0) :]
    place = np.full(len(thread), -1, np.int64)
    place[order] = np.arange(len(order))
    parts = np.split(place, np.cumsum([len(each) for each in threads])[:-1])
    return Asked(thread[order], time[order], *parts)

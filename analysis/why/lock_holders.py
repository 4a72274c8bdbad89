"""Who had a lock while others waited for it: the pieces of each wait, and whose they are.

Takes that find a lock free are not recorded, but whoever lets go of one that others wait for is. So between
two such moments the lock was with the thread that let it go next, and a wait is split at them. What follows
the moment in which the waiter itself was let go is on nobody's account: it is woken up. Of what is waited for
until it happens (a notify, an event), and of the world's stops, all until then is with who did it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ..arrays import Bools, Int64s, Table
from ..tables.trace import Trace

LOCK_PIECE: Final = np.dtype(
    [
        ("start", "<i8"),
        ("duration", "<i8"),
        ("wait", "<i8"),  # row of Trace.lock_waits
        ("thread", "<i4"),  # who waits
        ("holder", "<i4"),  # who had it; -1: nobody, it is on its way, or nobody is known
        ("frame", "<i4"),  # where that one let it go: index in Trace.frames; -1: not known
        ("known", "?"),  # False: it is not known who had it
    ],
    align=True,
)
"""Pieces of waits, sorted by (wait, start); those of one wait tile it."""


def lock_pieces(trace: Trace) -> Table:
    """Return the LOCK_PIECE table: shape (pieces,)."""
    waits, wakes = trace.lock_waits, trace.lock_wakes
    if not len(waits):
        return np.empty(0, LOCK_PIECE)
    end = waits["start"] + waits["duration"]
    ended = waits["wake"] >= 0
    let_go = np.where(
        ended, np.clip(wakes["time"][waits["wake"]] if len(wakes) else 0, waits["start"], end), end
    )
    order = np.lexsort((wakes["time"], wakes["lock"]))
    by_lock = wakes[order]
    first, last = _meanwhile(trace, waits, wakes, order, ended, let_go)

    count = last - first  # moments in which it changed hands, but the last
    total = int((count + 1).sum())
    wait = np.repeat(np.arange(len(waits)), count + 1)
    within = np.arange(total) - np.repeat(np.cumsum(count + 1) - (count + 1), count + 1)
    at = first[wait] + within  # the wake that ends the piece
    is_last = within == count[wait]
    begin = np.where(within > 0, _time(by_lock, at - 1), waits["start"][wait])
    until = np.where(is_last, let_go[wait], _time(by_lock, at))
    own = np.where(ended, waits["wake"], -1)[wait]
    # A wait that nobody ended: whoever let it go next had it at its end.
    next_one = at < len(by_lock)
    next_one[next_one] = by_lock["lock"][at[next_one]] == waits["lock"][wait[next_one]]
    next_one &= is_last & ~ended[wait] & mutual(trace, waits)[wait]
    by = np.where(is_last, own, -1)
    inside = ~is_last | next_one
    by[inside] = order[at[inside]]
    pieces = np.zeros(total, LOCK_PIECE)
    pieces["start"], pieces["duration"], pieces["wait"] = begin, until - begin, wait
    known = by >= 0
    pieces["holder"], pieces["frame"], pieces["known"] = -1, -1, known
    pieces["holder"][known] = wakes["thread"][by[known]]
    pieces["frame"][known] = wakes["frame"][by[known]]

    woken = np.flatnonzero(ended & (end > let_go))
    rest = np.zeros(len(woken), LOCK_PIECE)
    rest["start"], rest["duration"], rest["wait"] = let_go[woken], (end - let_go)[woken], woken
    rest["holder"], rest["frame"], rest["known"] = -1, -1, True
    both = np.concatenate([pieces[pieces["duration"] > 0], rest])
    both["thread"] = waits["thread"][both["wait"]]
    return both[np.lexsort((both["start"], both["wait"]))]


def _time(wakes: Table, at: Int64s) -> Int64s:
    """Return times of some wakes; of places beside the table anything."""
    times: Int64s = wakes["time"][np.clip(at, 0, max(len(wakes) - 1, 0))] if len(wakes) else at
    return times


def mutual(trace: Trace, waits: Table) -> Bools:
    """Return which waits are for what one thread has at a time, but the world's stops."""
    kinds = np.array([lock.mutual for lock in trace.locks] + [False])  # lock -1 is the last
    found: Bools = kinds[waits["lock"]] & ~waits["stopped"]
    return found


def _meanwhile(
    trace: Trace, waits: Table, wakes: Table, order: Int64s, ended: Bools, let_go: Int64s
) -> tuple[Int64s, Int64s]:
    """Return which wakes, in order of lock and time, came in each wait before the one that ended it."""
    lock = wakes["lock"][order].astype(np.int64)
    base = int(min(waits["start"].min(), wakes["time"].min() if len(wakes) else waits["start"].min()))
    span = int(max(let_go.max(), wakes["time"].max() if len(wakes) else 0)) - base + 2
    key = (lock + 1) * span + (wakes["time"][order] - base)
    mine = (waits["lock"].astype(np.int64) + 1) * span
    first = np.searchsorted(key, mine + (waits["start"] - base), "right")
    last = np.searchsorted(key, mine + (let_go - base), "left")
    # Of one moment: those before its own.
    last = np.where(ended, last, np.searchsorted(key, mine + (let_go - base), "right"))
    last = np.where(mutual(trace, waits), np.maximum(last, first), first)
    return first, last

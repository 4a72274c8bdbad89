"""Blame for locks the slow obvious way: a table of all pieces of all waits, then sums over it."""

from __future__ import annotations

from typing import Final

import numpy as np

from analysis.arrays import Bools, Int64s, Table, distinct
from analysis.measures.lock_names import lock_name, place_of
from analysis.model import LockKind
from analysis.tables.trace import Trace
from analysis.why.blame_by_thread import BLAME, NOBODY
from analysis.why.code.charges import overlap
from analysis.why.locks.blame import LockLine
from analysis.why.locks.holders import LOCK_PIECE

_NOBODYS: Final = -2
"""In place of a frame, where nobody had it."""

_Key = tuple[int, str, LockKind, str, str, bool]


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


def by_thread(pieces: Table) -> Table:
    if not len(pieces):
        return np.zeros(0, BLAME)
    key = (pieces["thread"].astype(np.int64) << 32) + pieces["holder"] + 1
    keys, of = np.unique(key, return_inverse=True)
    table = np.zeros(len(keys), BLAME)
    table["blocked"], table["holder"] = keys >> 32, (keys & 0xFFFFFFFF) - 1
    np.add.at(table["time"], of, pieces["duration"])
    waits = int(pieces["wait"].max(initial=0)) + 1
    pairs = distinct(of * waits + pieces["wait"])  # a wait counts once for each holder
    table["waits"] = np.bincount(pairs // waits, minlength=len(keys))
    return table


def by_line(trace: Trace, pieces: Table) -> tuple[LockLine, ...]:
    if not len(pieces):
        return ()
    waits = trace.lock_waits
    lock = waits["lock"][pieces["wait"]]
    frame = waits["frame"][pieces["wait"]]
    nobody = pieces["holder"] == NOBODY
    process = np.array([thread.process for thread in trace.threads])[pieces["thread"]]
    columns = np.stack([lock, frame, np.where(nobody, _NOBODYS, pieces["frame"]), process]).astype(np.int64)
    combinations, of = np.unique(columns, axis=1, return_inverse=True)
    of = of.reshape(-1)
    numbers: dict[_Key, int] = {}
    first = np.zeros(combinations.shape[1], np.int64)
    first[of[::-1]] = np.arange(len(of))[::-1]
    group = [
        numbers.setdefault(_key(trace, lock, waiter, holder, int(pieces["thread"][at])), len(numbers))
        for (lock, waiter, holder, _), at in zip(combinations.T.tolist(), first.tolist(), strict=True)
    ]
    group_of = np.array(group, np.int64)[of]
    order = np.argsort(group_of, kind="stable")
    bounds = np.searchsorted(group_of[order], np.arange(len(numbers) + 1)).tolist()
    parts = zip(numbers, bounds[:-1], bounds[1:], strict=True)
    return tuple(
        sorted(
            (_line(waits, pieces[np.sort(order[begin:end])], key) for key, begin, end in parts),
            key=lambda line: (-line.waited, line.lock, line.where, line.let_go),
        )
    )


def _key(trace: Trace, lock: int, waiter: int, holder: int, thread: int) -> _Key:
    known = trace.locks[lock] if lock >= 0 else None
    process = known.process if known else trace.threads[thread].process
    name, kind = (lock_name(known), known.kind) if known else ("a lock", LockKind.UNKNOWN)
    return process, name, kind, place_of(trace, waiter), place_of(trace, holder), holder == _NOBODYS


def _line(waits: Table, rows: Table, key: _Key) -> LockLine:
    process, name, kind, where, let_go, nobody = key
    wait, of = np.unique(rows["wait"], return_inverse=True)
    length = np.bincount(of, rows["duration"]).astype(np.int64)
    longest = int(np.argmax(length))
    return LockLine(
        lock=name,
        kind=kind,
        process=process,
        where=where,
        let_go=let_go,
        waited=int(rows["duration"].sum()),
        longest=int(length[longest]),
        longest_at=int(waits["start"][wait[longest]]),
        waits=len(wait),
        waiters=tuple(distinct(rows["thread"]).tolist()),
        holders=tuple(distinct(rows["holder"][rows["holder"] >= 0]).tolist()),
        nobody=nobody,
    )


def without_gil(trace: Trace, pieces: Table, rows: Int64s) -> int:
    """Return how long, in some waits for locks, who had them waited for a GIL, ns."""
    mine = pieces[np.isin(pieces["wait"], rows) & (pieces["holder"] >= 0)]
    total = 0
    for holder in distinct(mine["holder"]).tolist():
        waits = trace.waits[trace.waits["thread"] == holder]
        begin = mine["start"][mine["holder"] == holder]
        end = begin + mine["duration"][mine["holder"] == holder]
        total += int(overlap(waits["start"], waits["start"] + waits["duration"], begin, end).sum())
    return total

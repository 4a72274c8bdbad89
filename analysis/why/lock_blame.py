"""Blame for waits for locks: by thread, and by the lines of code at both ends.

Every moment of a wait is charged to whoever had the lock then (`lock_holders`), or to nobody. So the charges
of a thread's waits sum up to the time that it waited, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ..arrays import Table, distinct
from ..measures.lock_names import lock_name, place_of
from ..model import LockKind
from ..tables.trace import Trace
from .blame_by_thread import BLAME, NOBODY, Blame
from .lock_holders import lock_pieces

_NOBODYS: Final = -2
"""In place of a frame, where nobody had it."""

_Key = tuple[int, str, LockKind, str, str, bool]


@dataclass(frozen=True)
class LockLine:
    """A lock at two lines of code: where threads waited for it, and where who had it let go.

    Attributes
    ----------
    lock : str
        What it is called; several that are called the same are told together.
    kind : LockKind
    process : int
        Index in Trace.processes.
    where, let_go : str
        "parse(), app.py:120"; "": not known. Of what is `nobody`'s, let_go is "".
    waited, longest : int
        ns, summed over the threads that waited, and the most in one wait.
    longest_at : int
        When that began.
    waits : int
        In how many waits.
    waiters, holders : tuple of int
        The threads, indices in Trace.threads.
    nobody : bool
        It was on its way, or it is not known who had it.
    """

    lock: str
    kind: LockKind
    process: int
    where: str
    let_go: str
    waited: int
    longest: int
    longest_at: int
    waits: int
    waiters: tuple[int, ...]
    holders: tuple[int, ...]
    nobody: bool


@dataclass(frozen=True, eq=False)
class LockBlame:
    """Who made whom wait for locks.

    Attributes
    ----------
    threads : Blame
        The matrix blocked × holder, of all waits; NOBODY: on its way, or not known.
    lines : tuple of LockLine
        The worst first.
    total, nobody : int
        ns of all waits, and the part that is charged to nobody.
    """

    threads: Blame
    lines: tuple[LockLine, ...]
    total: int
    nobody: int
    pieces: Table = field(repr=False)


def lock_blame(trace: Trace) -> LockBlame:
    """Charge all waits for locks of a trace."""
    pieces = lock_pieces(trace)
    nobody = int(pieces["duration"][pieces["holder"] == NOBODY].sum())
    return LockBlame(
        Blame(_by_thread(pieces), len(trace.threads)),
        _by_line(trace, pieces),
        int(pieces["duration"].sum()),
        nobody,
        pieces,
    )


def _by_thread(pieces: Table) -> Table:
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


def _by_line(trace: Trace, pieces: Table) -> tuple[LockLine, ...]:
    if not len(pieces):
        return ()
    waits = trace.lock_waits
    lock = waits["lock"][pieces["wait"]]
    frame = waits["frame"][pieces["wait"]]
    nobody = pieces["holder"] == NOBODY
    columns = np.stack([lock, frame, np.where(nobody, _NOBODYS, pieces["frame"])]).astype(np.int64)
    combinations, of = np.unique(columns, axis=1, return_inverse=True)
    of = of.reshape(-1)
    numbers: dict[_Key, int] = {}
    first = np.zeros(combinations.shape[1], np.int64)
    first[of[::-1]] = np.arange(len(of))[::-1]
    group = [
        numbers.setdefault(_key(trace, lock, waiter, holder, int(pieces["thread"][at])), len(numbers))
        for (lock, waiter, holder), at in zip(combinations.T.tolist(), first.tolist(), strict=True)
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

"""Blame for waits for locks: by thread, and by the lines of code at both ends.

Every moment of a wait is charged to whoever had the lock then (`tables.locks.hands`), or to nobody. So the
charges of a thread's waits sum up to the time that it waited, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...arrays import Int32s, Int64s, Table, UInt64s, distinct
from ...measures.lock_names import lock_name, place_of
from ...model import LockKind
from ...tables.trace import Trace
from ..blame_by_thread import BLAME, NOBODY, Blame
from .pieces import Pieces

_Group = tuple[int, str, LockKind, str]


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


def lock_blame(trace: Trace) -> LockBlame:
    """Charge all waits for locks of a trace."""
    pieces = Pieces(trace.lock_hands)
    table = _by_thread(trace, pieces)
    return LockBlame(
        Blame(table, len(trace.threads)),
        _by_line(trace, pieces),
        int(table["time"].sum()),
        int(table["time"][table["holder"] == NOBODY].sum()),
    )


def _by_thread(trace: Trace, pieces: Pieces) -> Table:
    rows = pieces.by_thread(trace.lock_waits["thread"].copy(), len(trace.threads))
    table = np.zeros(len(rows), BLAME)
    for column, name in enumerate(("blocked", "holder", "time", "waits")):
        table[name] = rows[:, column]
    return table


def _by_line(trace: Trace, pieces: Pieces) -> tuple[LockLine, ...]:
    waits = trace.lock_waits
    combinations = np.stack([waits["lock"], waits["frame"], _processes(trace)[waits["thread"]]])
    each, of = np.unique(combinations, axis=1, return_inverse=True)
    groups: dict[_Group, int] = {}
    numbers = [
        groups.setdefault((*_what(trace, lock, process), place_of(trace, frame)), len(groups))
        for lock, frame, process in each.T.tolist()
    ]
    group = np.array(numbers, np.int64)[of.reshape(-1)]
    places, place = _places(trace)
    rows, bits = pieces.by_line(waits["thread"].copy(), len(trace.threads), group, place, len(places))
    keys = list(groups)
    lines = [
        LockLine(
            lock=keys[of_wait][1],
            kind=keys[of_wait][2],
            process=keys[of_wait][0],
            where=keys[of_wait][3],
            let_go=places[at] if at < len(places) else "",
            waited=waited,
            longest=longest,
            longest_at=int(waits["start"][wait]),
            waits=count,
            waiters=_set(mine[0]),
            holders=_set(mine[1]),
            nobody=at == len(places),
        )
        for (of_wait, at, waited, count, longest, wait), mine in zip(rows.tolist(), bits, strict=True)
    ]
    return tuple(sorted(lines, key=lambda line: (-line.waited, line.lock, line.where, line.let_go)))


def _places(trace: Trace) -> tuple[list[str], Int64s]:
    """Return in words where locks were let go, and the place of each frame; the last is that of frame -1."""
    numbers: dict[str, int] = {}
    place = np.zeros(len(trace.frames) + 1, np.int64)
    for frame in distinct(np.append(trace.lock_wakes["frame"], np.int32(-1))).tolist():
        place[frame] = numbers.setdefault(place_of(trace, frame), len(numbers))
    return list(numbers), place


def _processes(trace: Trace) -> Int32s:
    return np.array([thread.process for thread in trace.threads], np.int32)


def _what(trace: Trace, lock: int, process: int) -> tuple[int, str, LockKind]:
    """Return whose a lock is, what it is called, and its kind."""
    if lock < 0:
        return process, "a lock", LockKind.UNKNOWN
    known = trace.locks[lock]
    return known.process, lock_name(known), known.kind


def _set(bits: UInt64s) -> tuple[int, ...]:
    """Return which bits are there."""
    return tuple(np.flatnonzero(np.unpackbits(bits.view(np.uint8), bitorder="little")).tolist())

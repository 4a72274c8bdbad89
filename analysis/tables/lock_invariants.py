"""Invariants 11 and 12: what a trace says of who has a lock contradicts nothing.

A release that nobody waits for is no event, so who has a lock is known only in part: a thread has it from
the end of its wait to the next time that it lets it go, if all the while somebody else waited, who would
have been let go otherwise. A wait's first moments don't count as waiting: the thread is not known yet to
whoever lets go.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..arrays import Bools, Int64s, Table, distinct
from ..dtypes import LockOutcome
from ..model import LockKind
from .locks.events import SKEW
from .trace import Trace

_UNKNOWN = 10_000_000
"""ns that a thread which waits may be unknown to whoever lets go: it lost its CPU on the way to its sleep."""

_LOCKS = (LockKind.OBJECT, LockKind.MUTEX, LockKind.SEMAPHORE)

_HOLD = np.dtype([("start", "<i8"), ("end", "<i8"), ("thread", "<i4"), ("lock", "<i4")])


def lock_holds_overlap(trace: Trace) -> Iterator[tuple[int, int, str]]:
    """Yield thread, time and message of each hold of a lock that begins within another thread's."""
    for lock, holds in _by_lock(trace, known_holds(trace)):
        until = np.maximum.accumulate(holds["end"])
        within = (holds["start"][1:] < until[:-1] - SKEW) & (holds["thread"][1:] != holds["thread"][:-1])
        for at in np.flatnonzero(within) + 1:
            other = trace.threads[holds["thread"][at - 1]]
            message = f"has lock {lock} while {other.name} ({other.tid}) has it until {until[at - 1]}"
            yield int(holds["thread"][at]), int(holds["start"][at]), message


def got_what_was_never_free(trace: Trace) -> Iterator[tuple[int, int, str]]:
    """Yield thread, time and message of each wait that got a lock which somebody else had all the while."""
    waits = trace.lock_waits
    unwoken = waits[(waits["outcome"] == LockOutcome.ACQUIRED) & (waits["wake"] < 0)]
    for lock, holds in _by_lock(trace, known_holds(trace)):
        mine = unwoken[unwoken["lock"] == lock]
        before = np.searchsorted(holds["start"], mine["start"], "right") - 1
        hold, end = holds[np.maximum(before, 0)], mine["start"] + mine["duration"]
        wrong = (before >= 0) & (end + SKEW < hold["end"]) & (hold["thread"] != mine["thread"])
        for at in np.flatnonzero(wrong):
            other = trace.threads[hold["thread"][at]]
            message = f"gets lock {lock} of nobody, and {other.name} ({other.tid}) has it all the while"
            yield int(mine["thread"][at]), int(end[at]), message


def known_holds(trace: Trace) -> Table:
    """Return what is known of who had which lock, sorted by (lock, start): start, end (ns), thread, lock."""
    waits = trace.lock_waits
    exclusive = np.array([lock.kind in _LOCKS and lock.mutual for lock in trace.locks] + [False])
    waits = waits[exclusive[waits["lock"]]]
    holds = _let_go_by_oneself(waits, trace.lock_wakes)
    lost = np.array([bool(process.discarded) or bool(trace.skipped) for process in trace.processes])
    process = np.array([thread.process for thread in trace.threads], np.int32)
    if lost.any():
        holds = holds[~lost[process[holds["thread"]]]]
    holds = holds[holds["end"] - holds["start"] > 2 * SKEW]
    holds = holds[np.lexsort((holds["start"], holds["lock"]))]
    known: Table = holds[_waited_for(holds, waits)]
    return known


def _let_go_by_oneself(waits: Table, wakes: Table) -> Table:
    """Return the holds from a wait's end to the same thread's next wake, if it does not wait again."""
    got = waits[waits["outcome"] == LockOutcome.ACQUIRED]
    thread = np.concatenate([got["thread"], wakes["thread"], waits["thread"]])
    lock = np.concatenate([got["lock"], wakes["lock"], waits["lock"]])
    time = np.concatenate([got["start"] + got["duration"], wakes["time"], waits["start"]])
    kind = np.repeat([0, 1, 2], [len(got), len(wakes), len(waits)])  # had, let go, waits again
    order = np.lexsort((kind, time, lock, thread))
    thread, lock, time, kind = thread[order], lock[order], time[order], kind[order]
    held = (kind[:-1] == 0) & (kind[1:] == 1) & (thread[1:] == thread[:-1]) & (lock[1:] == lock[:-1])
    at = np.flatnonzero(held)
    holds = np.zeros(len(at), _HOLD)
    holds["start"], holds["end"], holds["thread"], holds["lock"] = (
        time[at],
        time[at + 1],
        thread[at],
        lock[at],
    )
    return holds


def _waited_for(holds: Table, waits: Table) -> Bools:
    """Return for which holds somebody waits from before they begin until they end."""
    waits = waits[np.lexsort((waits["start"], waits["lock"]))]
    found = np.zeros(len(holds), bool)
    for lock in distinct(holds["lock"]).tolist():
        mine, those = _rows(holds["lock"], lock), waits[_rows(waits["lock"], lock)]
        until: Int64s = np.maximum.accumulate(those["start"] + those["duration"])
        before = np.searchsorted(those["start"], holds["start"][mine] - _UNKNOWN, "right") - 1
        found[mine] = (before >= 0) & (until[np.maximum(before, 0)] >= holds["end"][mine] - SKEW)
    return found


def _rows(column: Int64s, value: int) -> slice:
    first, last = np.searchsorted(column, [value, value + 1])
    return slice(int(first), int(last))


def _by_lock(trace: Trace, holds: Table) -> Iterator[tuple[int, Table]]:
    for lock in distinct(holds["lock"]).tolist():
        yield lock, holds[_rows(holds["lock"], lock)]

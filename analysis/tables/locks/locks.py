"""The tables of Python's other locks: LOCK_WAIT, LOCK_WAKE, LOCK_HOLD, LOCK_SPIN, PAUSE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...arrays import Int32s, Int64s, Table, distinct
from ...dtypes import LOCK_HOLD, LOCK_SPIN, LOCK_WAIT, LOCK_WAKE, PAUSE, LockOutcome
from ...model import LockKind, Process, Thread
from ...reader.code.frames import Frames
from ...reader.locks import Locks
from ..columns import SideColumns
from .events import holds_in_waits, match, spins_of, threads_by_tid, waits_of, wakes_of


@dataclass(frozen=True)
class LockTables:
    """`waits` is LOCK_WAIT, `wakes` LOCK_WAKE; `reason` says of each wake why the world stood, or -1."""

    waits: Table
    wakes: Table
    reason: Int32s


def lock_tables(
    side: SideColumns,
    ends: Int64s,
    threads: Sequence[Thread],
    processes: Sequence[Process],
    frames: Frames,
    locks: Locks,
) -> LockTables:
    """Return what was waited for, and who let go.

    Parameters
    ----------
    ends : ndarray of int64
        When the threads' lives end.
    """
    waits, wakes = waits_of(side, ends), wakes_of(side)
    process_of = np.array([thread.process for thread in threads], np.int32)
    wait_lock, wake_lock = (np.full(len(each.thread), -1, np.int32) for each in (waits, wakes))
    wait_frame, wake_frame = (np.full(len(each.thread), -1, np.int32) for each in (waits, wakes))
    waiter, reason = (np.full(len(wakes.thread), -1, np.int32) for _ in range(2))
    for process in processes if len(side.time) else ():
        for each, lock, frame in ((waits, wait_lock, wait_frame), (wakes, wake_lock, wake_frame)):
            mine = np.flatnonzero(process_of[each.thread] == process.index)
            lock[mine] = locks.of(process.index, each.number[mine])
            frame[mine] = frames.of(process.index, each.frame[mine])
        mine = np.flatnonzero((process_of[wakes.thread] == process.index) & (wakes.callers != 0))
        reason[mine] = locks.reasons_of(process.index, wakes.callers[mine])
        lives = [
            (each.index, each.tid, each.begin, each.end) for each in threads if each.process == process.index
        ]
        mine = np.flatnonzero((process_of[wakes.thread] == process.index) & (wakes.tid != 0))
        waiter[mine] = threads_by_tid(wakes.tid[mine], wakes.time[mine], lives)
    ended_by = match(waits, wakes, wait_lock, wake_lock, waiter)

    order = np.argsort(wakes.time, kind="stable")
    row = np.empty(len(order), np.int64)
    row[order] = np.arange(len(order))
    woken = np.flatnonzero(ended_by >= 0)
    wake = ended_by[woken]
    waiter[wake] = waits.thread[woken]

    wait_table = np.zeros(len(waits.start), LOCK_WAIT)
    wait_table["start"], wait_table["duration"] = waits.start, waits.end - waits.start
    wait_table["thread"], wait_table["lock"] = waits.thread, wait_lock
    wait_table["outcome"], wait_table["frame"], wait_table["spin"] = waits.outcome, wait_frame, waits.spin
    for name in ("wake", "waker", "waker_frame"):
        wait_table[name] = -1
    wait_table["wake"][woken] = row[wake]
    wait_table["waker"][woken] = wakes.thread[wake]
    wait_table["waker_frame"][woken] = wake_frame[wake]
    states = np.array([lock.kind == LockKind.STATE for lock in locks.locks] + [False])  # lock -1 is the last
    wait_table["stopped"] = states[wait_lock]

    wake_table = np.zeros(len(order), LOCK_WAKE)
    wake_table["time"], wake_table["thread"], wake_table["lock"] = (
        wakes.time[order],
        wakes.thread[order],
        wake_lock[order],
    )
    wake_table["waiter"], wake_table["frame"], wake_table["wait"] = waiter[order], wake_frame[order], -1
    wake_table["wait"][row[wake]] = woken
    return LockTables(wait_table, wake_table, reason[order])


def spin_table(side: SideColumns) -> Table:
    """Return the LOCK_SPIN table."""
    spins = spins_of(side)
    table = np.zeros(len(spins.start), LOCK_SPIN)
    table["start"], table["duration"] = spins.start, spins.duration
    table["thread"], table["parked"] = spins.thread, spins.parked
    return table


def hold_table(
    side: SideColumns, threads: Sequence[Thread], processes: Sequence[Process], frames: Frames, locks: Locks
) -> Table:
    """Return the LOCK_HOLD table."""
    found = holds_in_waits(side)
    table = np.zeros(len(found.time), LOCK_HOLD)
    table["time"], table["thread"], table["wait"] = found.time, found.thread, found.wait
    table["lock"] = table["frame"] = -1
    process_of = np.array([thread.process for thread in threads], np.int32)
    for process in processes if len(table) else ():
        mine = np.flatnonzero(process_of[found.thread] == process.index)
        table["lock"][mine] = locks.of(process.index, found.number[mine])
        table["frame"][mine] = frames.of(process.index, found.frame[mine])
    return table


def pause_table(tables: LockTables, locks: Locks, threads: Sequence[Thread]) -> Table:
    """Return the PAUSE table: when the world was stopped, and by whom.

    All that one thread lets go of their own states belong to one pause, until somebody stands who did not
    before the first of them was let go.
    """
    waits = tables.waits
    rows = np.flatnonzero(waits["stopped"] & (waits["wake"] >= 0))
    woken = tables.wakes["time"][waits["wake"][rows]]
    order = np.lexsort((woken, waits["waker"][rows]))
    rows, woken = rows[order], woken[order]
    if not len(rows):
        return np.empty(0, PAUSE)
    start, waker = waits["start"][rows], waits["waker"][rows]
    first = _first_of_pauses(start, woken, waker)
    last = np.append(first[1:], len(rows))
    table = np.zeros(len(first), PAUSE)
    table["start"] = np.minimum.reduceat(start, first)
    table["duration"] = woken[first] - table["start"]
    table["thread"] = waker[first]
    table["frame"] = waits["waker_frame"][rows][first]
    table["process"] = [threads[thread].process for thread in waker[first].tolist()]
    stood = [distinct(waits["thread"][rows[a:b]]) for a, b in zip(first, last, strict=True)]
    table["threads"] = [len(threads) for threads in stood]
    table["stood"] = np.add.reduceat(waits["duration"][rows], first)
    table["reason"] = tables.reason[waits["wake"][rows][first]]
    table["asked"], table["stopped"] = _asked(waits, locks, table, stood)
    return table[np.argsort(table["start"], kind="stable")]


def _first_of_pauses(start: Int64s, woken: Int64s, waker: Int32s) -> Int64s:
    """Return where pauses begin among stops that are sorted by who let go, and when."""
    first = [0]
    for at in range(1, len(start)):  # as many as threads were stopped: never many
        if waker[at] != waker[at - 1] or start[at] > woken[first[-1]]:
            first.append(at)
    return np.array(first, np.int64)


def _asked(waits: Table, locks: Locks, pauses: Table, stood: Sequence[Int32s]) -> tuple[Int64s, Int64s]:
    """Return when the stopper began to wait until all others stood, and when they did.

    Those are waits for a word of the interpreter's: of a millisecond each, after which it looks again for
    threads that run no Python code and need not stand; the last one may be ended by who stands last, just
    before that one stands. It may not have to wait.

    Parameters
    ----------
    stood : sequence of ndarray of int32
        The threads that stood in each pause.
    """
    own = np.array([lock.kind in (LockKind.INTERPRETER, LockKind.RUNTIME) for lock in locks.locks] + [False])
    mine = np.flatnonzero(
        own[waits["lock"]] & np.isin(waits["outcome"], (LockOutcome.ACQUIRED, LockOutcome.TIMEOUT))
    )
    asked, stopped = pauses["start"].copy(), pauses["start"].copy()
    before: dict[int, int] = {}
    for row in np.argsort(pauses["start"], kind="stable").tolist():
        pause, thread = pauses[row], int(pauses["thread"][row])
        last = int(pause["start"] + pause["duration"])
        of = mine[waits["thread"][mine] == thread]
        end = waits["start"][of] + waits["duration"][of]
        of = of[(end > before.get(thread, 0)) & (end <= last)]
        end = waits["start"][of] + waits["duration"][of]
        looked = waits["outcome"][of] == LockOutcome.TIMEOUT
        of = of[(end >= pause["start"]) | looked | np.isin(waits["waker"][of], stood[row])]
        if len(of):
            asked[row] = min(asked[row], int(waits["start"][of[0]]))
            stopped[row] = max(asked[row], int(waits["start"][of[-1]] + waits["duration"][of[-1]]))
        before[thread] = last
    return asked, stopped

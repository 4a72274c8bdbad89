"""Waits that never ended, and whom they are for: a chain, or a cycle, which is a deadlock.

Who has a lock is known of what a waiting thread had by `with` as its wait began; else of who got it after a
wait and was not seen to let it go. Of others who took it without waiting nobody knows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...dtypes import LockOutcome
from ...measures.lock_names import lock_name, place_of
from ...tables.trace import Trace


@dataclass(frozen=True)
class Endless:
    """A wait that never ended.

    Attributes
    ----------
    thread : int
    lock : int
        Index in Trace.locks; -1: not known.
    since : int
        ns of CLOCK_MONOTONIC.
    what, where : str
        The lock, and the line that waits; "": not known.
    owner : int
        The thread that has it; -1: not known.
    owner_where : str
        The line of it where it took it, or waits in it; "": not known.
    sure : bool
        The owner had it when its own wait began. Else it got it last, and was not seen to let it go.
    """

    thread: int
    lock: int
    since: int
    what: str
    where: str
    owner: int
    owner_where: str
    sure: bool


@dataclass(frozen=True)
class Knot:
    """Waits, each for the owner of what the one before waits for; `cycle`: the last one for the first."""

    waits: tuple[Endless, ...]
    cycle: bool


def endless(trace: Trace) -> tuple[Endless, ...]:
    """Return the waits that had no end when the recording, or their process, had."""
    waits = trace.lock_waits
    open_ = np.flatnonzero((waits["outcome"] == LockOutcome.UNFINISHED) & ~waits["stopped"])
    owners = _owners(trace, open_.tolist())
    found = []
    for row in open_.tolist():
        wait = waits[row]
        lock = int(wait["lock"])
        owner, frame, sure = owners.get(lock, (-1, -1, False)) if lock >= 0 else (-1, -1, False)
        if owner < 0 and lock >= 0 and trace.locks[lock].mutual:
            owner, frame = _last_got_it(trace, row)
        found.append(
            Endless(
                int(wait["thread"]),
                lock,
                int(wait["start"]),
                lock_name(trace.locks[lock]) if lock >= 0 else "a lock",
                place_of(trace, int(wait["frame"])),
                owner,
                place_of(trace, frame),
                sure,
            )
        )
    return tuple(found)


def knots(trace: Trace) -> tuple[Knot, ...]:
    """Return the chains of waits that never ended: cycles first, then those of several waits, by length."""
    by_thread = {each.thread: each for each in endless(trace)}
    found: list[Knot] = []
    in_cycle: set[int] = set()
    for start in by_thread:
        chain: list[int] = []
        thread = start
        while thread in by_thread and thread not in chain:
            chain.append(thread)
            thread = by_thread[thread].owner
        cycle = chain[chain.index(thread) :] if thread in chain else []
        if cycle and not in_cycle & set(cycle):
            in_cycle |= set(cycle)
            first = cycle.index(min(cycle))
            found.append(Knot(tuple(by_thread[each] for each in cycle[first:] + cycle[:first]), True))
        if not cycle or start not in cycle:
            found.append(Knot(tuple(by_thread[each] for each in chain), False))
    return tuple(sorted(found, key=lambda knot: (not knot.cycle, -len(knot.waits))))


def sentence(trace: Trace, knot: Knot) -> str:
    """Return a knot in words, with the line that waits and the one that has what it waits for."""
    parts = []
    for wait in knot.waits:
        where = f" in {wait.where}" if wait.where else ""
        said = f"{trace.threads[wait.thread].name} waits for {wait.what}{where}"
        if wait.owner < 0:
            parts.append(f"{said}, and nobody let it go")
        else:
            has = "has" if wait.sure else "got last"
            line = f" in {wait.owner_where}" if wait.owner_where else ""
            parts.append(f"{said}, which {trace.threads[wait.owner].name} {has}{line}")
    return f"{'Deadlock' if knot.cycle else 'Never ended'}: {'; '.join(parts)}."


def _owners(trace: Trace, open_: list[int]) -> dict[int, tuple[int, int, bool]]:
    """Return for locks that a thread had by `with` when its endless wait began: the thread and the frame."""
    holds = trace.lock_holds
    mine = holds[np.isin(holds["wait"], open_)] if len(holds) else holds
    return {
        int(row["lock"]): (int(row["thread"]), int(row["frame"]), True) for row in mine if row["lock"] >= 0
    }


def _last_got_it(trace: Trace, row: int) -> tuple[int, int]:
    """Return who got a lock last, and let it go no more, before or while a wait for it; and where."""
    waits, wakes = trace.lock_waits, trace.lock_wakes
    lock, thread = waits["lock"][row], waits["thread"][row]
    got = waits[
        (waits["lock"] == lock) & (waits["outcome"] == LockOutcome.ACQUIRED) & (waits["thread"] != thread)
    ]
    if not len(got):
        return -1, -1
    end = got["start"] + got["duration"]
    last = got[int(np.argmax(end))]
    gone = wakes[(wakes["lock"] == lock) & (wakes["thread"] == last["thread"]) & (wakes["time"] >= end.max())]
    return (-1, -1) if len(gone) else (int(last["thread"]), int(last["frame"]))

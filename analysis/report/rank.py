"""What of many threads has to do with the question: who held the GIL, waited for it, or was blamed for waits.

Then come those that compute beside them, then all others. Of threads of a kind those that Python knows come
first: a library's own threads, by the dozen, are hardly ever what somebody looks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..measures.statistics import ThreadStatistics
from ..model import HELD, State, total

NOTABLE: Final = 0.01
"""Share of the time from which on it is worth a line."""

Rank = tuple[int, int, int]
"""Sorts first what matters most."""

INVOLVED, COMPUTES, REST = range(3)

Times = Mapping[State, int]


def rank(time: Times, blamed: int, waited: int, duration: int, known: int) -> Rank:
    """Return the rank of a thread, or of several together.

    Parameters
    ----------
    time : mapping
        State → ns.
    blamed, waited : int
        How long others waited while they held the lock, and how long all waited, in ns.
    duration : int
        How long the process was recorded, in ns.
    known : int
        `how_known` says.
    """
    about_gil = total(time, HELD) + time[State.WAITING]
    computing = time[State.NATIVE] + time[State.READY]
    least = max(NOTABLE * duration, 1)
    if about_gil >= least or blamed >= max(NOTABLE * waited, 1):
        return INVOLVED, 0, -(about_gil + blamed)
    if computing >= least:
        return COMPUTES, known, -computing
    return REST, known, -(about_gil + computing)


def how_known(thread: ThreadStatistics) -> int:
    """Return 0 for a thread that ever had to do with a GIL, 1 for one with a name in the OS, 2 for others."""
    if thread.counts.acquires > 0 or thread.time[State.WAITING] > 0 or thread.held > 0:
        return 0
    return 2 if thread.thread.name == f"thread {thread.thread.tid}" else 1

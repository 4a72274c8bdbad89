"""On a build without a GIL: which locks two threads that run the same statement wait for."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.arrays import Table
from analysis.measures.lock_names import lock_name, place_of
from analysis.tables.trace import Trace

STATEMENT: Final = "<statement>"
"""The file of a statement's own code, as `program` compiles it."""


@dataclass(frozen=True)
class Locked:
    """Waits for one lock at one place, of the threads together; `waited` in ns.

    Attributes
    ----------
    name : str
        What to call the lock, or what the threads waited for.
    where : str
        The line of code that waited; "": not known.
    """

    name: str
    where: str
    times: int
    waited: int


def locked(trace: Trace, threads: tuple[int, ...], begin: int, end: int) -> tuple[Locked, ...]:
    """Return what threads waited for between two times while they ran the statement, the longest first.

    Waits of the program that measures, for the other thread to begin and to end, are none of the statement's.
    """
    waits = _within(trace.lock_waits, threads, begin, end)
    times: dict[tuple[str, str], int] = defaultdict(int)
    waited: dict[tuple[str, str], int] = defaultdict(int)
    for row in waits[["start", "duration", "lock", "frame"]].tolist():
        start, duration, lock, frame = row
        if not _in_statement(trace, frame):
            continue
        key = (lock_name(trace.locks[lock]) if lock >= 0 else "a lock", place_of(trace, frame))
        times[key] += 1
        waited[key] += min(start + duration, end) - max(start, begin)
    found = [Locked(*key, times[key], waited[key]) for key in times]
    return tuple(sorted(found, key=lambda of: -of.waited))


def _within(table: Table, threads: tuple[int, ...], begin: int, end: int) -> Table:
    mine = np.isin(table["thread"], threads)
    mine &= (table["start"] < end) & (table["start"] + table["duration"] > begin)
    return table[mine]


def _in_statement(trace: Trace, frame: int) -> bool:
    """Whether the statement is among a frame and its callers; a frame that is not known may be."""
    if frame < 0:
        return True
    while frame >= 0:
        if trace.codes[trace.frames["code"][frame]].file == STATEMENT:
            return True
        frame = int(trace.frames["caller"][frame])
    return False

"""What the detectors of locks look at: one process, and what its threads waited for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ....arrays import Int64s, Table, distinct
from ....measures.lock_names import lock_name, place_of
from ....model import Process
from ....tables.gil.waits import someone_waits
from ....tables.locks.hands import mutual
from ....tables.trace import Trace
from ...locks.pieces import Pieces


@dataclass(frozen=True)
class Queue:
    """A lock that threads queue for: one, or several that are called the same and waited for in one place.

    Attributes
    ----------
    rows : LOCK_WAIT table
    number : ndarray of int64
        Which rows of Trace.lock_waits they are, sorted.
    """

    name: str
    where: str
    rows: Table
    number: Int64s

    @cached_property
    def waited(self) -> int:
        """All waits together, ns."""
        return int(self.rows["duration"].sum())

    @cached_property
    def contended(self) -> int:
        """For how long at least one thread waited, ns."""
        begin, end = someone_waits(self.rows["start"], self.rows["start"] + self.rows["duration"])
        return int((end - begin).sum())

    @property
    def threads(self) -> tuple[int, ...]:
        """Who waited."""
        return tuple(distinct(self.rows["thread"]).tolist())

    @property
    def begin(self) -> int:
        """When the first wait began."""
        return int(self.rows["start"].min())

    @property
    def end(self) -> int:
        """When the last one ended."""
        return int((self.rows["start"] + self.rows["duration"]).max())

    def __str__(self) -> str:
        """Return what to call it: "Lock of Cache, put(), app.py:31"."""
        return f"{self.name}, {self.where}" if self.where else self.name


class LockScene:
    """The locks of one process."""

    def __init__(self, trace: Trace, process: Process) -> None:
        self.trace = trace
        self.process = process
        self.span = max(process.end - process.begin, 1)

    @cached_property
    def queues(self) -> tuple[Queue, ...]:
        """Locks that one thread has at a time, and that were waited for; the worst first."""
        waits, trace = self.trace.lock_waits, self.trace
        threads = trace.threads_of(self.process)
        inside = (waits["thread"] >= threads.start) & (waits["thread"] < threads.stop)
        mine = np.flatnonzero(mutual(trace.locks, waits) & inside)
        if not len(mine):
            return ()
        pairs = np.stack([waits["lock"][mine], waits["frame"][mine]])
        each, of = np.unique(pairs, axis=1, return_inverse=True)
        named = [(lock_name(trace.locks[lock]), place_of(trace, frame)) for lock, frame in each.T.tolist()]
        names = list(dict.fromkeys(named))
        group = np.array([names.index(name) for name in named])[of.reshape(-1)]
        found = [
            Queue(*name, waits[rows], rows)
            for number, name in enumerate(names)
            for rows in (mine[group == number],)
        ]
        return tuple(sorted(found, key=lambda queue: -queue.waited))

    @cached_property
    def waited_meanwhile(self) -> tuple[int, ...]:
        """For each of `queues` how long, in its waits, who had it waited for a GIL, ns."""
        trace = self.trace
        if not self.queues:
            return ()
        queue = np.full(len(trace.lock_waits), -1, np.int64)
        for number, each in enumerate(self.queues):
            queue[each.number] = number
        asked, by_then = trace.lock_moments, trace.waited_by
        known = [
            np.append(by_then, 0)[places]
            for places in (asked.here, asked.before, asked.first, asked.since, asked.until)
        ]
        sums = Pieces(trace.lock_hands).waited_meanwhile(queue, len(self.queues), *known)
        return tuple(sums.tolist())

    @cached_property
    def pauses(self) -> Table:
        """Its rows of the PAUSE table."""
        mine: Table = self.trace.pauses[self.trace.pauses["process"] == self.process.index]
        return mine

    def life(self, threads: tuple[int, ...]) -> int:
        """How long some threads lived in the trace, all together, ns."""
        lives = (self.trace.threads[thread] for thread in threads)
        return max(sum(thread.end - thread.begin for thread in lives), 1)

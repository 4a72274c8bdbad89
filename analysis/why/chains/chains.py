"""Wait-for chains: whom a thread waited for, whom that one waited for meanwhile, to the end of the chain.

What is at the end of a chain did something, or slept: that is what to mend. The seconds of all chains of a
thread sum up to the time that it waited for somebody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ...arrays import Int64s, Table
from ...tables.trace import Trace
from .wait_for import clip, name_of, places, wait_for

LONGEST: Final = 8
"""Links of a chain that are followed."""

_SMALLEST: Final = 0.001
"""Share of a thread's waits below which a chain is not followed."""


@dataclass(frozen=True)
class Link:
    """One thread that waits for another one.

    `what` is "the GIL", or what the lock is called; `where` the line that waits, `let_go` the one where it
    was let go; "": not known. `holder` is a thread, -1: nobody, or not known.
    """

    thread: int
    what: str
    where: str
    let_go: str
    holder: int


@dataclass(frozen=True)
class Chain:
    """Links, the first one that of the thread that was asked for; and the time for which it was so, in ns.

    `closed`: the last one waits for a thread that the chain has been through.
    """

    links: tuple[Link, ...]
    time: int
    closed: bool = False


def chains(trace: Trace, thread: int, table: Table | None = None) -> tuple[Chain, ...]:
    """Return the chains that a thread waited in, the longest time first.

    Parameters
    ----------
    thread : int
        Index in Trace.threads.
    table : WAIT_FOR table, optional
        That of the trace, if it is there already.
    """
    table = wait_for(trace) if table is None else table
    follow = _Follow(trace, table)
    life = trace.threads[thread]
    follow.go((), thread, np.array([life.begin]), np.array([life.end]))
    found = {key: time for key, time in follow.found.items() if time > 0}
    return tuple(
        Chain(links, time, closed)
        for (links, closed), time in sorted(found.items(), key=lambda item: -item[1])
    )


class _Follow:
    def __init__(self, trace: Trace, table: Table) -> None:
        self.trace, self.table = trace, table
        self.first = np.searchsorted(table["thread"], np.arange(len(trace.threads) + 1))
        self.found: dict[tuple[tuple[Link, ...], bool], int] = {}
        self.least = 0

    def go(self, links: tuple[Link, ...], thread: int, begin: Int64s, end: Int64s) -> None:
        """Follow a thread through some stretches of time; what it did not wait in ends the chain."""
        whole = int((end - begin).sum())
        rows = clip(self.table[self.first[thread] : self.first[thread + 1]], begin, end)
        if not links:
            self.least = int(_SMALLEST * rows["duration"].sum())
        waited = 0
        passed = {link.thread for link in links} | {thread}
        for link, mine in self._groups(thread, rows):
            time = int(mine["duration"].sum())
            waited += time
            chain = (*links, link)
            if link.holder in passed:
                self._add(chain, time, closed=True)
            elif link.holder < 0 or len(chain) >= LONGEST or time <= self.least:
                self._add(chain, time)
            else:
                self.go(chain, link.holder, mine["start"], mine["start"] + mine["duration"])
        if links:
            self._add(links, whole - waited)

    def _groups(self, thread: int, rows: Table) -> list[tuple[Link, Table]]:
        columns = np.stack(
            [rows[name].astype(np.int64) for name in ("sort", "about", "frame", "holder_frame", "holder")]
        )
        each, first, of = np.unique(columns, axis=1, return_index=True, return_inverse=True)
        links = [
            Link(thread, name_of(self.trace, sort, about), *places(self.trace, rows[at]), holder)
            for (sort, about, _, _, holder), at in zip(each.T.tolist(), first.tolist(), strict=True)
        ]
        together: dict[Link, list[int]] = {}
        for number, link in enumerate(links):
            together.setdefault(link, []).append(number)
        of = of.reshape(-1)
        return [(link, rows[np.isin(of, numbers)]) for link, numbers in together.items()]

    def _add(self, links: tuple[Link, ...], time: int, *, closed: bool = False) -> None:
        self.found[links, closed] = self.found.get((links, closed), 0) + time

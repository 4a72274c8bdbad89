"""Blame by thread: who held the GIL while each thread waited for it, for how long and in how many waits.

Every moment of a wait is charged to whoever held the GIL then, or to nobody where it was free or nobody is
known to have held it. So what a thread is charged with sums up to all that the others waited for, and the
charges of a thread's waits sum up to the time that it waited, exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from ..arrays import Int64s, Table, distinct
from ..shown import Shown
from ..tables.gil.anatomy_clock import GilClock

if TYPE_CHECKING:
    from ..model import Gil
    from ..tables.trace import Trace

NOBODY: Final = -1
"""The holder while the GIL was free, or where it is not known who held it."""

BLAME: Final = np.dtype(
    [("blocked", "<i4"), ("holder", "<i4"), ("time", "<i8"), ("waits", "<i8")], align=True
)
"""The matrix without its zeros, sorted by (blocked, holder): two threads, or NOBODY; the ns for which the one
waited while the other held the GIL, and in how many of its waits it did."""


@dataclass(frozen=True)
class Blame(Shown):
    """The matrix blocked × holder of a trace with `size` threads; `table` is BLAME."""

    table: Table = field(repr=False)
    size: int

    def matrix(self) -> Int64s:
        """Return the times in full, ns: shape (threads, threads + 1), [blocked, holder]; last: nobody.

        Row i sums up to the time that thread i waited.
        """
        return self._dense("time")

    def counts(self) -> Int64s:
        """Return the numbers of waits in full, as `matrix` does; a wait counts once for each holder."""
        return self._dense("waits")

    def _dense(self, column: str) -> Int64s:
        dense = np.zeros((self.size, self.size + 1), np.int64)
        dense[self.table["blocked"], self.table["holder"]] = self.table[column]  # NOBODY is the last one
        return dense


def blame(trace: Trace) -> Blame:
    """Return who is to blame for the waits of a trace.

    With W the waits of thread i and H the holds of thread j on the same GIL, as sets of moments: element
    [i, j] is the length of W ∩ H in ns, and the number of waits in W that overlap H.
    """
    if trace.folded is not None:
        table = np.zeros(len(trace.folded.blame), BLAME)
        for column, name in enumerate(BLAME.names or ()):
            table[name] = trace.folded.blame[:, column]
        return Blame(table, len(trace.threads))
    rows = [row for gil in trace.gils for row in _of_gil(trace, gil)]
    found = np.concatenate([np.zeros((0, 4), np.int64), *rows])
    key = (found[:, 0] << 32) + found[:, 1] + 1
    keys, of = np.unique(key, return_inverse=True)  # a thread may have waited for several GILs
    table = np.zeros(len(keys), BLAME)
    table["blocked"] = keys >> 32
    table["holder"] = (keys & 0xFFFFFFFF) - 1
    np.add.at(table["time"], of, found[:, 2])
    np.add.at(table["waits"], of, found[:, 3])
    return Blame(table, len(trace.threads))


def _of_gil(trace: Trace, gil: Gil) -> Iterator[Int64s]:
    """Yield rows (blocked, holder, time, waits) about one GIL, thread by thread."""
    mine = trace.waits_for(gil)
    start, thread = trace.waits["start"][mine], trace.waits["thread"][mine]
    end = start + trace.waits["duration"][mine]
    held = _Held(trace.gil_clock(gil))
    bounds = np.searchsorted(thread, np.arange(len(trace.threads) + 1)).tolist()
    for blocked in distinct(thread).tolist():
        waits = slice(bounds[blocked], bounds[blocked + 1])
        yield held.during(blocked, start[waits], end[waits])


class _Held:
    """The holds of one GIL that have a length."""

    def __init__(self, clock: GilClock) -> None:
        some = np.flatnonzero(clock.end > clock.start)
        self.start, self.end, self.thread = clock.start[some], clock.end[some], clock.thread[some]
        self.length = self.end - self.start
        self.before = np.append(0, np.cumsum(self.length))
        # The hold before that was the same thread's: whose first one in a wait it is, is seen from that.
        order = np.argsort(self.thread, kind="stable")
        previous = np.append(-1, order[:-1])
        previous[np.diff(self.thread[order], prepend=-1) != 0] = -1
        self.previous = np.empty_like(previous)
        self.previous[order] = previous

    def during(self, blocked: int, start: Int64s, end: Int64s) -> Int64s:
        """Return rows (blocked, holder, time, waits) for the waits of one thread."""
        first = np.searchsorted(self.end, start, "right")
        last = np.searchsorted(self.start, end, "left")  # one beyond
        count = np.where(end > start, last - first, 0)
        met = np.flatnonzero(count > 0)
        begin, until, first, last, count = start[met], end[met], first[met], last[met], count[met]
        hold = np.arange(count.sum()) + np.repeat(first - (np.cumsum(count) - count), count)
        holder = self.thread[hold]
        # Whole holds, and then without what of the first and the last one is outside of the wait.
        early, late = begin - self.start[first], self.end[last - 1] - until
        time = np.bincount(holder, self.length[hold]).astype(np.int64)
        np.subtract.at(time, self.thread[first], np.maximum(early, 0))
        np.subtract.at(time, self.thread[last - 1], np.maximum(late, 0))
        waits = np.bincount(holder[self.previous[hold] < np.repeat(first, count)], minlength=len(time))
        rows = [np.stack([holders := np.flatnonzero(waits), time[holders], waits[holders]], axis=1)]

        known = self.before[last] - self.before[first] - np.maximum(early, 0) - np.maximum(late, 0)
        free = end - start
        free[met] -= known
        if free.any():
            rows.append(np.array([[NOBODY, free.sum(), np.count_nonzero(free)]]))
        return np.insert(np.concatenate(rows), 0, blocked, axis=1)

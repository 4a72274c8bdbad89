"""How much of each pixel column a thread spent in each state: exact sums, from the table.

The intervals of a thread tile its life, so the time that it spent in a state before any moment is a sum
over the intervals before it, plus a part of one. Only the sums touch every interval, and only once, in
blocks that stay in the cache: a picture of ten million intervals costs little more than one of ten thousand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from analysis.arrays import Table
from analysis.model import State

Times = npt.NDArray[np.int64]
"""Nanoseconds."""
Indices = npt.NDArray[np.intp]

_BLOCK: Final = 1 << 15  # intervals: 1 MiB, half of a common L2 cache


def search(
    table: Table, column: str, values: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike
) -> Indices:
    """Return, for each value, the first row in `[low, high)` whose `column` is greater than it.

    As `np.searchsorted(…, side="right")`, but on a column of a structured array it reads only the rows that
    it compares (searchsorted copies the whole column first), and each value may have its own range.
    """
    wanted, lo, hi = np.broadcast_arrays(
        np.asarray(values, np.int64), np.asarray(low, np.intp), np.asarray(high, np.intp)
    )
    lo, hi = lo.copy(), hi.copy()
    cells = table[column]
    while True:
        open_ = lo < hi
        if not open_.any():
            return lo
        middle = np.where(open_, (lo + hi) // 2, 0)
        below = cells[middle] <= wanted
        lo = np.where(open_ & below, middle + 1, lo)
        hi = np.where(open_ & ~below, middle, hi)


@dataclass(frozen=True)
class Visible:
    """The rows of `intervals` that touch a window, for each thread.

    `first[t]:last[t]` are the rows of thread `t`; empty for one that did not live in the window.
    """

    intervals: Table
    start: int
    end: int
    first: Indices
    last: Indices

    def count(self) -> int:
        """Return how many intervals are visible."""
        return int((self.last - self.first).sum())

    def rows(self, thread: int) -> Table:
        """Return the visible intervals of one thread, in order; a view."""
        return self.intervals[self.first[thread] : self.last[thread]]


def visible(intervals: Table, threads: int, start: int, end: int) -> Visible:
    """Find the intervals that touch `[start, end)` for each of `threads` threads, in O(threads · log n)."""
    numbers = np.arange(threads)
    last = search(intervals, "thread", numbers, 0, len(intervals))
    first = np.concatenate([np.zeros(1, np.intp), last[:-1]]) if threads else last
    begin = search(intervals, "start", start, first, last)
    touches = begin > first  # the interval before it may reach into the window
    before = np.where(touches, begin - 1, 0)
    if len(intervals):
        reach = intervals["start"][before] + intervals["duration"][before] > start
        # An interval of no length at the very start is in the window too.
        reach |= intervals["start"][before] == start
        begin = np.where(touches & reach, begin - 1, begin)
    stop = search(intervals, "start", end - 1, begin, last)
    return Visible(intervals, start, end, begin, stop)


def _sums(rows: Table, bounds: Indices, states: Sequence[State], gil: int | None) -> Times:
    """Return the time in each state over `rows[:bound]` for ascending bounds: `(states, bounds)`."""
    sums = np.zeros((len(states), len(bounds)), np.int64)
    if not len(bounds):
        return sums
    total = np.zeros(len(states), np.int64)
    stop = int(bounds[-1])
    done = int(np.searchsorted(bounds, 0, side="right"))
    for low in range(0, stop, _BLOCK):
        high = min(low + _BLOCK, stop)
        block = rows[low:high]
        duration = np.ascontiguousarray(block["duration"])
        state = np.ascontiguousarray(block["state"])
        until = int(np.searchsorted(bounds, high, side="right"))
        cuts = bounds[done:until] - low
        # reduceat wants strictly ascending places inside the block: sums between distinct cuts, then spread.
        places, which = np.unique(np.concatenate([[0], cuts]), return_inverse=True)
        inside = places[places < high - low]
        for i, wanted in enumerate(states):
            chosen = state == wanted
            if gil is not None:
                chosen &= block["gil"] == gil
            pieces = np.add.reduceat(np.where(chosen, duration, 0), inside)
            before = np.concatenate([[0], np.cumsum(pieces)])
            sums[i, done:until] = total[i] + before[which[1:]]
            total[i] += before[-1]
        done = until
    return sums


def coverage(rows: Table, edges: Times, states: Sequence[State], gil: int | None = None) -> Times:
    """Return how long one thread was in each state in each pixel column.

    Parameters
    ----------
    rows : INTERVAL array
        One thread's intervals, in order and without overlap; they may reach beyond the edges.
    edges : int64 array, shape (columns + 1,), ns
        Ascending pixel edges.
    states : sequence of State
    gil : int, optional
        Count only time with (or for) this GIL.

    Returns
    -------
    int64 array, shape (len(states), columns), ns
        Exact: the sum over columns is the time in that state between the first and the last edge.
    """
    if not len(rows):
        return np.zeros((len(states), len(edges) - 1), np.int64)
    after = search(rows, "start", edges, 0, len(rows))
    at = np.maximum(after - 1, 0)
    reached = _sums(rows, at.astype(np.intp), states, gil)
    current = rows[at]
    inside = np.clip(edges - current["start"], 0, current["duration"])
    matches = np.ones(len(at), bool) if gil is None else current["gil"] == gil
    for i, wanted in enumerate(states):
        reached[i] += np.where(matches & (current["state"] == wanted), inside, 0)
    return np.asarray(np.diff(reached, axis=1), np.int64)


def totals(seen: Visible, states: Sequence[State]) -> Times:
    """Return how long each thread was in each state within the window: `(threads, len(states))`, ns."""
    rows, first, last = seen.intervals, seen.first, seen.last
    if 2 * seen.count() < len(rows):  # a close-up of a long trace: don't walk through all of it
        parts = [seen.rows(thread) for thread in range(len(first))]
        lengths = last - first
        rows = np.concatenate(parts) if parts else rows[:0]
        last = np.cumsum(lengths)
        first = last - lengths
    bounds = np.stack([first, last], axis=1).ravel()
    reached = _sums(rows, bounds, states, None)
    times = reached[:, 1::2] - reached[:, 0::2]
    some = np.flatnonzero(last > first)
    for row, cut in (
        (rows[first[some]], lambda r: seen.start - r["start"]),
        (rows[last[some] - 1], lambda r: r["start"] + r["duration"] - seen.end),
    ):
        outside = np.maximum(cut(row), 0)
        for i, wanted in enumerate(states):
            times[i, some] -= np.where(row["state"] == wanted, outside, 0)
    return np.asarray(times.T, np.int64)


def crowd(rows: Table, edges: Times, states: Sequence[State]) -> Times:
    """Return the same for the intervals of many threads at once, in any order.

    A column's value is then the sum over the threads: between 0 and threads × the column's width.
    """
    result = np.zeros((len(states), len(edges) - 1), np.int64)
    for i, wanted in enumerate(states):
        chosen = rows[rows["state"] == wanted]
        start = np.clip(chosen["start"], edges[0], edges[-1])
        end = np.clip(chosen["start"] + chosen["duration"], edges[0], edges[-1])
        result[i] = np.diff(_ramps(start, edges) - _ramps(end, edges))
    return result


def _ramps(times: Times, edges: Times) -> Times:
    """Return Σ max(edge - time, 0) for each edge."""
    ordered = np.sort(times)
    before = np.searchsorted(ordered, edges, side="left")
    total = np.concatenate([[0], np.cumsum(ordered - edges[0])])
    return np.asarray(before * (edges - edges[0]) - total[before], np.int64)


def edges(start: int, end: int, columns: int) -> Times:
    """Return `columns + 1` whole nanoseconds from start to end, as equally spaced as they can be.

    Fewer when the window has fewer nanoseconds than that: every column is at least one wide.
    """
    columns = max(1, min(columns, end - start))
    steps = np.arange(columns + 1, dtype=np.int64)
    span = end - start
    whole, part = divmod(span, columns)  # span * columns may not fit in 64 bits
    return np.asarray(start + steps * whole + steps * part // columns, np.int64)

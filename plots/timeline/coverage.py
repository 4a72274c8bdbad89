"""How much of each pixel column a thread spent in each state: exact sums, from the table.

The intervals of a thread tile its life, so the time that it spent in a state before any moment is a sum
over the intervals before it, plus a part of one. Only the sums touch every interval, and only once, in
blocks that stay in the cache: a picture of ten million intervals costs little more than one of ten thousand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from analysis.arrays import Bytes, Int64s, Table
from analysis.model import HELD, INTERVAL, State

if TYPE_CHECKING:
    from analysis.tables.trace import Trace

Times = npt.NDArray[np.int64]
"""Nanoseconds."""
Indices = npt.NDArray[np.intp]

_BLOCK: Final = 1 << 14  # intervals: what is read and written for them fits in a common L2 cache


def search(column: Int64s, values: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike) -> Indices:
    """Return, for each value, the first index in `[low, high)` at which the ascending column is greater.

    As `np.searchsorted(…, side="right")`, but each value has a range of its own: a column ascends only
    within a thread.
    """
    wanted, lo, hi = np.broadcast_arrays(
        np.asarray(values, np.int64), np.asarray(low, np.intp), np.asarray(high, np.intp)
    )
    lo, hi = lo.copy(), hi.copy()
    while True:
        open_ = lo < hi
        if not open_.any():
            return lo
        middle = np.where(open_, (lo + hi) // 2, 0)
        below = column[middle] <= wanted
        lo = np.where(open_ & below, middle + 1, lo)
        hi = np.where(open_ & ~below, middle, hi)


@dataclass(frozen=True)
class Intervals:
    """Intervals by column; `gil` are the trace's indices, or None where they need not be told apart."""

    start: Int64s
    duration: Int64s
    state: Bytes
    gil: npt.NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, which: Any) -> Intervals:
        gil = None if self.gil is None else self.gil[which]
        return Intervals(self.start[which], self.duration[which], self.state[which], gil)

    @staticmethod
    def of(table: Table) -> Intervals:
        """Return the columns of an INTERVAL array."""
        return Intervals(table["start"], table["duration"], table["state"], table["gil"])


class Seen(Protocol):
    """What is asked of the intervals in a window: `Visible`, or sums that were made without tables.

    Attributes
    ----------
    first, last : ndarray of int, shape (threads,)
        Thread t has last[t] - first[t] of them.
    """

    @property
    def first(self) -> npt.NDArray[np.integer[Any]]: ...

    @property
    def last(self) -> npt.NDArray[np.integer[Any]]: ...

    def count(self) -> int:
        """Return how many intervals are visible."""
        ...

    def about(self, thread: int) -> Int64s:
        """Return how many of a thread's are about each GIL: shape (GILs,)."""
        ...

    def rows(self, thread: int, most: int | None = None) -> Table:
        """Return a thread's, at most the first `most`, as an INTERVAL array."""
        ...


class Visible:
    """The intervals of a trace that touch the window `[start, end)`.

    Found in O(threads · log intervals), in the trace's columns: making its table of ten million intervals
    would take longer than the figure.

    Attributes
    ----------
    first, last : ndarray of intp, shape (threads,)
        Thread t has the intervals first[t] to last[t]; none if it did not live in the window.
    """

    def __init__(self, trace: Trace, start: int, end: int, *, cpus: bool = False) -> None:
        """Find them; with `cpus` the intervals in all states, where a trace has them."""
        self.trace = trace
        self.start = start
        self.end = end
        self.cpus = cpus and trace.scheduling is not None
        source = trace.states_by_column if self.cpus else trace.intervals_by_column
        self.all = Intervals(source.start, source.duration, source.state)
        first, last = source.first[:-1].astype(np.intp), source.first[1:].astype(np.intp)
        begin = search(source.start, start, first, last)
        may_reach = begin > first  # the interval before it may reach into the window
        before = begin[may_reach] - 1
        # One of no length at the very start is in the window too.
        reaches = (source.start[before] + source.duration[before] > start) | (source.start[before] == start)
        begin[may_reach] -= reaches
        self.first: Indices = begin
        self.last: Indices = search(source.start, end - 1, begin, last)

    def count(self) -> int:
        """Return how many intervals are visible."""
        return int((self.last - self.first).sum())

    def columns(self, thread: int) -> Intervals:
        """Return the visible intervals of one thread, in order: views, without their GILs."""
        return self.all[self.first[thread] : self.last[thread]]

    def columns_with_gil(self, thread: int, most: int | None = None) -> Intervals:
        """Return the same, at most the first `most`, with the GIL that each is about."""
        first, last = int(self.first[thread]), int(self.last[thread])
        at = slice(first, last if most is None else min(last, first + most))
        part = self.all[at]
        gils = [gil for gil in self.trace.gils if gil.process == self.trace.threads[thread].process]
        about = np.isin(part.state, (State.WAITING, *HELD))
        if len(gils) == 1:
            gil = np.where(about, np.int32(gils[0].index), np.int32(-1))
        else:
            intervals = self.trace.intervals_by_column
            event = intervals.event[self.trace.states_by_column.of[at] if self.cpus else at]
            gil = np.where(about, self.trace.gil_of_events[event], -1)
        return Intervals(part.start, part.duration, part.state, gil.astype(np.int32))

    def about(self, thread: int) -> Int64s:
        """Return how many of a thread's visible intervals are about each GIL: shape (GILs,)."""
        about = self.columns_with_gil(thread).gil
        assert about is not None
        return np.bincount(about + 1, minlength=len(self.trace.gils) + 1)[1:].astype(np.int64)

    def rows(self, thread: int, most: int | None = None) -> Table:
        """Return a thread's visible intervals, at most the first `most`, as an INTERVAL array.

        A copy, in which `unfinished` is not told.
        """
        part = self.columns_with_gil(thread, most)
        table = np.zeros(len(part), INTERVAL)
        table["start"] = part.start
        table["duration"] = part.duration
        table["thread"] = thread
        table["gil"] = part.gil
        table["state"] = part.state
        return table


def _sums(rows: Intervals, bounds: Indices, states: Sequence[State], gil: int | None) -> Times:
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
        until = int(np.searchsorted(bounds, high, side="right"))
        cuts = bounds[done:until] - low
        # reduceat wants strictly ascending places inside the block: sums between distinct cuts, then spread.
        places, which = np.unique(np.concatenate([[0], cuts]), return_inverse=True)
        inside = places[places < high - low]
        for i, wanted in enumerate(states):
            chosen = block.state == wanted
            if gil is not None:
                chosen &= block.gil == gil
            pieces = np.add.reduceat(np.where(chosen, block.duration, 0), inside)
            before = np.concatenate([[0], np.cumsum(pieces)])
            sums[i, done:until] = total[i] + before[which[1:]]
            total[i] += before[-1]
        done = until
    return sums


def coverage(rows: Intervals, edges: Times, states: Sequence[State], gil: int | None = None) -> Times:
    """Return how long one thread was in each state in each pixel column.

    Parameters
    ----------
    rows : Intervals
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
    after = np.searchsorted(rows.start, edges, side="right")
    at = np.maximum(after - 1, 0)
    reached = _sums(rows, at.astype(np.intp), states, gil)
    current = rows[at]
    inside = np.clip(edges - current.start, 0, current.duration)
    matches = True if gil is None else current.gil == gil
    for i, wanted in enumerate(states):
        reached[i] += np.where(matches & (current.state == wanted), inside, 0)
    return np.asarray(np.diff(reached, axis=1), np.int64)


def totals(seen: Visible, states: Sequence[State]) -> Times:
    """Return how long each thread was in each state within the window: `(threads, len(states))`, ns."""
    rows, first, last = seen.all, seen.first, seen.last
    if 2 * seen.count() < len(rows):  # a close-up of a long trace: don't walk through all of it
        which = np.concatenate([np.arange(low, high) for low, high in zip(first, last, strict=True)])
        rows = rows[which]
        lengths = last - first
        last = np.cumsum(lengths)
        first = last - lengths
    bounds = np.stack([first, last], axis=1).ravel()
    reached = _sums(rows, bounds, states, None)
    times = reached[:, 1::2] - reached[:, 0::2]
    some = np.flatnonzero(last > first)
    heads, tails = rows[first[some]], rows[last[some] - 1]
    before = np.maximum(seen.start - heads.start, 0)
    after = np.maximum(tails.start + tails.duration - seen.end, 0)
    for i, wanted in enumerate(states):
        times[i, some] -= np.where(heads.state == wanted, before, 0)
        times[i, some] -= np.where(tails.state == wanted, after, 0)
    return np.asarray(times.T, np.int64)


def crowd(rows: Intervals, edges: Times, states: Sequence[State]) -> Times:
    """Return the same for the intervals of many threads at once, in any order.

    A column's value is then the sum over the threads: between 0 and threads × the column's width.
    """
    result = np.zeros((len(states), len(edges) - 1), np.int64)
    for i, wanted in enumerate(states):
        chosen = rows[rows.state == wanted]
        start = np.clip(chosen.start, edges[0], edges[-1])
        end = np.clip(chosen.start + chosen.duration, edges[0], edges[-1])
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

"""What a timeline draws, computed once: visible rows, pixel columns, shares. No matplotlib here."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from analysis.arrays import Table
from analysis.model import State

from .coverage import Times, Visible, coverage, crowd, edges, totals, visible
from .rows import COUNTED
from .window import Window

if TYPE_CHECKING:
    from analysis.trace import Trace

EXACT: Final = 100_000
"""Visible intervals up to which polygons are drawn at all."""

FEW_THREADS: Final = 24
"""So many threads are measured by columns at once; with more, those that get no lane are only summed."""


class View:
    """The numbers behind one figure.

    Parameters
    ----------
    trace : Trace
    window : Window
    columns : int
        Pixel columns of the axes.
    exact : bool, optional
        Polygons for all lanes (True) or for none (False). By default a lane gets polygons while it has not
        more intervals than pixel columns: beyond that renderers, which blend one thin polygon over the other,
        show less than there is.
    """

    def __init__(self, trace: Trace, window: Window, columns: int, exact: bool | None = None) -> None:
        self.trace = trace
        self.window = window
        self.edges = edges(window.start, window.end, columns)
        self.seen: Visible = visible(trace.intervals, len(trace.threads), window.start, window.end)
        self.alive = np.flatnonzero(self.seen.last > self.seen.first)
        self._columns: dict[tuple[int, int | None], Times] = {}
        self._limit = 0 if exact is False else EXACT if exact else columns
        self._all_exact = exact is True or self.seen.count() <= EXACT

    @property
    def pixel(self) -> float:
        """The width of a pixel column, ns."""
        return self.window.span / (len(self.edges) - 1)

    def is_exact(self, thread: int) -> bool:
        """Return whether this thread's lane is drawn as polygons."""
        count = int(self.seen.last[thread] - self.seen.first[thread])
        return self._all_exact and count <= self._limit

    @cached_property
    def all_exact(self) -> bool:
        """Whether every thread is drawn as polygons."""
        return all(self.is_exact(int(thread)) for thread in self.alive)

    @cached_property
    def times(self) -> Times:
        """Time in each of `COUNTED` for each thread in the window: `(threads, 3)`, ns."""
        if len(self.alive) > FEW_THREADS:
            return totals(self.seen, COUNTED)
        times = np.zeros((len(self.trace.threads), len(COUNTED)), np.int64)
        for thread in self.alive:
            times[thread] = self.columns(int(thread)).sum(axis=1)
        return times

    def columns(self, thread: int) -> Times:
        """Return one thread's time in each of `COUNTED` in each column: `(3, columns)`, ns."""
        key = (thread, None)
        if key not in self._columns:
            self._columns[key] = self._measure(thread)
        return self._columns[key]

    def _measure(self, thread: int) -> Times:
        rows = self.seen.rows(thread)
        asked = [State.HOLDING, State.WAITING]
        lost = self.trace.processes[self.trace.threads[thread].process].discarded > 0
        if lost:  # what is unknown may be anywhere; else it is only the first interval
            asked.append(State.UNKNOWN)
        found = coverage(rows, self.edges, asked)
        unknown = found[2] if lost else coverage(rows[:1], self.edges, [State.UNKNOWN])[0]
        life = np.clip(
            self.edges, rows["start"][:1], rows["start"][-1:] + rows["duration"][-1:]
        )  # the rows tile it: what is neither held nor waited for nor unknown is released
        released = np.diff(life) - found[0] - found[1] - unknown
        return np.stack([found[0], found[1], released])

    def held(self, thread: int, gil: int) -> Times:
        """Return how long one thread held one GIL in each column, ns."""
        if self._one_gil(self.trace.threads[thread].process):
            return self.columns(thread)[0]
        key = (thread, gil)
        if key not in self._columns:
            self._columns[key] = coverage(self.seen.rows(thread), self.edges, [State.HOLDING], gil)
        return self._columns[key][0]

    def _one_gil(self, process: int) -> bool:
        return sum(gil.process == process for gil in self.trace.gils) == 1

    def rows_of(self, threads: list[int]) -> Table:
        """Return the visible intervals of these threads."""
        parts = [self.seen.rows(thread) for thread in threads]
        return np.concatenate(parts) if parts else self.trace.intervals[:0]

    def crowd(self, threads: list[int], gil: int | None = None) -> Times:
        """Return the time in each of `COUNTED` in each column, summed over threads: `(3, columns)`, ns."""
        total = np.zeros((len(COUNTED), len(self.edges) - 1), np.int64)
        short = []
        for thread in threads:
            if self.seen.last[thread] - self.seen.first[thread] > len(self.edges) and gil is None:
                total += self.columns(thread)
            else:
                short.append(thread)
        rows = self.rows_of(short)
        if gil is not None:
            rows = rows[rows["gil"] == gil]
        return np.asarray(total + crowd(rows, self.edges, COUNTED), np.int64)

    @cached_property
    def gil_shares(self) -> dict[int, float]:
        """The share of the window that each GIL was held."""
        used: dict[int, int] = {}
        for gil in self.trace.gils:
            threads = [int(t) for t in self.alive if self.trace.threads[t].process == gil.process]
            if self._one_gil(gil.process):
                used[gil.index] = int(self.times[threads, 0].sum())
            else:
                ends = np.array([self.window.start, self.window.end])
                used[gil.index] = sum(
                    int(coverage(self.seen.rows(t), ends, [State.HOLDING], gil.index).sum()) for t in threads
                )
        return {gil: held / self.window.span for gil, held in used.items()}

    @cached_property
    def holds(self) -> int:
        """How many holds there are in the window."""
        return sum(
            int(np.count_nonzero(self.seen.rows(int(t))["state"] == State.HOLDING)) for t in self.alive
        )

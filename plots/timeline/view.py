"""What a timeline draws, computed once: visible rows, pixel columns, shares. No matplotlib here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from analysis.arrays import Table
from analysis.model import INTERVAL, State

from ..style import states_of
from .coverage import Intervals, Seen, Times, Visible, coverage, crowd, edges, totals
from .rows import COUNTED
from .window import Window

if TYPE_CHECKING:
    from analysis.tables.trace import Trace

EXACT: Final = 100_000
"""Visible intervals up to which polygons are drawn at all."""

_CROWDED: Final = 4
"""Intervals that begin in one pixel column which are too many for polygons there."""

_SOMEWHERE: Final = 0.1
"""Share of its columns, while it lives, that may be crowded in a lane of polygons."""

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
        Polygons for all lanes (True, while they are not more than `EXACT`) or for none (False). By default a
        lane gets polygons unless it is crowded: renderers blend thin polygons over each other, and then show
        less of them than there is.
    """

    def __init__(self, trace: Trace, window: Window, columns: int, exact: bool | None = None) -> None:
        self.trace = trace
        self.window = window
        self.edges = edges(window.start, window.end, columns)
        self.visible = Visible(trace, window.start, window.end)
        self.seen: Seen = self.visible
        self.drawn = Visible(trace, window.start, window.end, cpus=True)
        self.cpus = self.drawn.cpus
        self.styles = states_of(trace)
        self.alive = np.flatnonzero(self.seen.last > self.seen.first)
        self._columns: dict[tuple[int, int | None], Times] = {}
        self._lanes: dict[int, Times] = {}
        self._exact = False if self.drawn.count() > EXACT else exact
        self._is_exact: dict[int, bool] = {}

    def at(self, columns: int) -> View:
        """Return the same view in so many columns."""
        view = View(self.trace, self.window, columns, self._exact)
        if len(self.alive) > FEW_THREADS:
            view.times = self.times
        if self.cpus:
            view.state_times = self.state_times
        return view

    def show(self, threads: Sequence[int]) -> None:
        """Say which threads have a lane."""

    @property
    def pixel(self) -> float:
        """The width of a pixel column, ns."""
        return self.window.span / (len(self.edges) - 1)

    def is_exact(self, thread: int) -> bool:
        """Return whether this thread's lane is drawn as polygons."""
        if self._exact is not None:
            return self._exact
        if thread not in self._is_exact:
            begins = np.searchsorted(self.drawn.columns(thread).start, self.edges)
            crowded = np.diff(begins) >= _CROWDED
            lived = min(max(self.life(thread) / self.pixel, 1.0), len(crowded))
            self._is_exact[thread] = bool(crowded.sum() <= _SOMEWHERE * lived)
        return self._is_exact[thread]

    @cached_property
    def all_exact(self) -> bool:
        """Whether every thread is drawn as polygons."""
        return all(self.is_exact(int(thread)) for thread in self.alive)

    @cached_property
    def times(self) -> Times:
        """Time in each of `COUNTED` for each thread in the window: `(threads, 3)`, ns."""
        if len(self.alive) > FEW_THREADS:
            return totals(self.visible, COUNTED)
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
        rows = self.visible.columns(thread)
        asked = [State.HOLDING, State.WAITING]
        # What is unknown is a thread's first interval only, unless something was lost.
        lost = self.trace.processes[self.trace.threads[thread].process].discarded or self.trace.skipped
        if lost:
            asked.append(State.UNKNOWN)
        found = coverage(rows, self.edges, asked)
        unknown = found[2] if lost else coverage(rows[:1], self.edges, [State.UNKNOWN])[0]
        # The intervals tile the life: what is none of these is released.
        life = np.clip(self.edges, rows.start[0], rows.start[-1] + rows.duration[-1])
        return np.stack([found[0], found[1], np.diff(life) - found[0] - found[1] - unknown])

    def lane(self, thread: int) -> Times:
        """Return one thread's time in each of `styles` in each column: `(styles, columns)`, ns."""
        if not self.cpus:
            return self.columns(thread)
        if thread not in self._lanes:
            rows = self.drawn.columns(thread)
            there = np.bincount(rows.state, minlength=len(State)) > 0
            asked = [style.state for style in self.styles if there[style.state]]
            found = dict(zip(asked, coverage(rows, self.edges, asked), strict=True))
            nothing = np.zeros(len(self.edges) - 1, np.int64)
            self._lanes[thread] = np.stack([found.get(style.state, nothing) for style in self.styles])
        return self._lanes[thread]

    def lane_crowd(self, threads: list[int]) -> Times:
        """Return the same, summed over threads."""
        if not self.cpus:
            return self.crowd(threads)
        total = np.zeros((len(self.styles), len(self.edges) - 1), np.int64)
        short = []
        for thread in threads:
            if self.drawn.last[thread] - self.drawn.first[thread] > len(self.edges):
                total += self.lane(thread)
            else:
                short.append(thread)
        rows = np.concatenate([np.zeros(0, INTERVAL), *(self.drawn.rows(thread) for thread in short)])
        states = [style.state for style in self.styles]
        return np.asarray(total + crowd(Intervals.of(rows), self.edges, states), np.int64)

    @cached_property
    def state_times(self) -> Times:
        """Time in each state for each thread in the window: `(threads, states)`, ns."""
        return totals(self.drawn, tuple(State))

    @property
    def native(self) -> Times | None:
        """How long each thread computed without the GIL in the window, ns; None if nobody knows."""
        return self.state_times[:, State.NATIVE] if self.cpus else None

    def part(self, thread: int, *states: State) -> float:
        """Return the share of its life within the window that a thread spent in some states."""
        return float(self.state_times[thread, list(states)].sum() / max(self.life(thread), 1))

    def held(self, thread: int, gil: int) -> Times:
        """Return how long one thread held one GIL in each column, ns."""
        if self._one_gil(self.trace.threads[thread].process):
            return _row(self.columns(thread), 0)
        key = (thread, gil)
        if key not in self._columns:
            self._columns[key] = coverage(
                self.visible.columns_with_gil(thread), self.edges, [State.HOLDING], gil
            )
        return _row(self._columns[key], 0)

    def _one_gil(self, process: int) -> bool:
        return sum(gil.process == process for gil in self.trace.gils) == 1

    def rows_of(self, threads: list[int]) -> Table:
        """Return the visible intervals of these threads."""
        return np.concatenate([np.zeros(0, INTERVAL), *(self.seen.rows(thread) for thread in threads)])

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
        return np.asarray(total + crowd(Intervals.of(rows), self.edges, COUNTED), np.int64)

    def life(self, thread: int) -> int:
        """Return how long a thread lived within the window, ns."""
        entry = self.trace.threads[thread]
        return max(min(entry.end, self.window.end) - max(entry.begin, self.window.start), 0)

    def share(self, thread: int) -> tuple[float, float]:
        """Return the shares of its life within the window that a thread held the GIL, and waited for it."""
        hold, wait, _ = self.times[thread] / max(self.life(thread), 1)
        return float(hold), float(wait)

    @cached_property
    def gil_shares(self) -> dict[int, float]:
        """The share of its process's life within the window that each GIL was held."""
        used = np.zeros(len(self.trace.gils) + 1)
        for thread in map(int, self.alive):
            process = self.trace.threads[thread].process
            gils = [gil.index for gil in self.trace.gils if gil.process == process]
            if len(gils) == 1:
                used[gils[0] + 1] += self.times[thread, 0]
                continue
            rows = self.visible.columns_with_gil(thread)
            rows = rows[rows.state == State.HOLDING]
            start = np.maximum(rows.start, self.window.start)
            held = np.minimum(rows.start + rows.duration, self.window.end) - start
            assert rows.gil is not None
            used += np.bincount(rows.gil + 1, weights=held, minlength=len(used))
        shares = {}
        for gil in self.trace.gils:
            owner = self.trace.processes[gil.process]
            life = min(owner.end, self.window.end) - max(owner.begin, self.window.start)
            shares[gil.index] = float(used[gil.index + 1]) / max(life, 1)
        return shares

    @cached_property
    def holds(self) -> int:
        """How many holds there are in the window."""
        return sum(
            int(np.count_nonzero(self.visible.columns(int(t)).state == State.HOLDING)) for t in self.alive
        )


def _row(times: Times, number: int) -> Times:
    row: Times = times[number]
    return row

"""The numbers behind a figure of a long trace, from its streams: `analysis.fold.covered`. No matplotlib here.

A lane of so many intervals is drawn as exact shares of pixel columns, and these are sums over what its thread
did: no table of it is needed. They are those of `view.View`, which is made of tables, to the nanosecond.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from analysis.fold.covered import Coverage, cover
from analysis.fold.lanes import can_be_covered
from analysis.model import HELD, INTERVAL, State

from ..style import states_of
from .coverage import Times, edges
from .view import EXACT, View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.arrays import Int64s, Table
    from analysis.tables.trace import Trace

    from .window import Window

_OF_GIL = (*HELD, State.WAITING, State.UNKNOWN)


def view_of(trace: Trace, window: Window, columns: int, exact: bool | None = None) -> View:
    """Return the view of a window: see `View`. No tables are made of many intervals."""
    if can_be_covered(trace) and sum(stream.scanned.events for stream in trace.source.streams) > EXACT:
        cpus = trace.scheduling is not None
        covered = cover(trace, window.start, window.end, cpus=cpus)
        if covered is not None and covered.intervals.sum() > EXACT:
            return CoveredView(trace, window, columns, covered)
    return View(trace, window, columns, exact)


@dataclass(frozen=True)
class _Seen:
    """What is asked of `coverage.Visible`."""

    trace: Trace
    covered: Coverage

    @property
    def first(self) -> Int64s:
        """The first interval of each thread, counted from there."""
        return np.zeros_like(self.covered.intervals)

    @property
    def last(self) -> Int64s:
        """How many intervals about the GIL each thread has in the window."""
        return self.covered.intervals

    def count(self) -> int:
        """Return how many there are: about the GIL, of which there are no more than of all."""
        return int(self.covered.intervals.sum())

    def about(self, thread: int) -> Int64s:
        """Return how many intervals of a thread are about each GIL of a process that has several."""
        counts = np.zeros(len(self.trace.gils), np.int64)
        process = self.trace.threads[thread].process
        of = [gil.index for gil in self.trace.gils if gil.process == process]
        if thread in self.covered.about:
            counts[of] = self.covered.about[thread]
        return counts

    def rows(self, thread: int, most: int | None = None) -> Table:
        """Return the first visible interval of a thread."""
        assert most == 1
        table = np.zeros(1, INTERVAL)
        state, begin, end = self.covered.opening[thread].tolist()
        table["start"], table["duration"], table["thread"] = begin, end - begin, thread
        table["gil"], table["state"] = -1, state
        return table


class CoveredView(View):
    """A view without tables: every lane is drawn as shares.

    Parameters
    ----------
    covered : Coverage
        The sums of the window.
    """

    def __init__(self, trace: Trace, window: Window, columns: int, covered: Coverage) -> None:
        self.trace = trace
        self.window = window
        self.edges = edges(window.start, window.end, columns)
        self.styles = states_of(trace)
        self.cpus = trace.scheduling is not None
        self.covered = covered
        self.seen = _Seen(trace, covered)
        self.alive = np.flatnonzero(covered.intervals)
        self._shown: tuple[int, ...] | None = None

    def at(self, columns: int) -> View:
        """Return the same view in so many columns."""
        return CoveredView(self.trace, self.window, columns, self.covered)

    def show(self, threads: Sequence[int]) -> None:
        """Say which threads have a lane: of all others only sums are known."""
        self._shown = tuple(threads)

    @cached_property
    def _cells(self) -> Coverage:
        assert self._shown is not None
        cells = cover(
            self.trace,
            self.window.start,
            self.window.end,
            cpus=self.cpus,
            edges=self.edges,
            shown=self._shown,
        )
        assert cells is not None
        if self.trace.on_cpus is not None:
            self.trace.on_cpus.give_up()  # drawing takes memory, and nothing more of them
        return cells

    def is_exact(self, thread: int) -> bool:
        """Return whether this thread's lane is drawn as polygons: none is."""
        return False

    @property
    def all_exact(self) -> bool:
        """Whether every thread is drawn as polygons."""
        return not len(self.alive)

    @cached_property
    def times(self) -> Times:
        """Time in each of `COUNTED` for each thread in the window: `(threads, 3)`, ns."""
        return _counted(self.covered.times.T).T

    @property
    def state_times(self) -> Times:
        """Time in each state for each thread in the window: `(threads, states)`, ns."""
        return self.covered.times

    def columns(self, thread: int) -> Times:
        """Return one thread's time in each of `COUNTED` in each column: `(3, columns)`, ns."""
        return _counted(self._cells.cells[thread])

    def lane(self, thread: int) -> Times:
        """Return one thread's time in each of `styles` in each column: `(styles, columns)`, ns."""
        return self._styled(self._cells.cells[thread])

    def lane_crowd(self, threads: list[int]) -> Times:
        """Return the same, summed over threads."""
        return self._styled(self._sum(threads))

    def held(self, thread: int, gil: int) -> Times:
        """Return how long one thread held one GIL in each column, ns."""
        if thread in self._cells.held_cells and len(self._cells.held_cells[thread]):
            held: Times = self._cells.held_cells[thread][self._place(gil)]
            return held
        return _row(self.columns(thread), 0)

    def crowd(self, threads: list[int], gil: int | None = None) -> Times:
        """Return the time in each of `COUNTED` in each column, summed over threads: `(3, columns)`, ns.

        With a GIL only the time that they held it: the threads without a lane of its process.
        """
        if gil is None:
            return _counted(self._sum(threads))
        process = self.trace.gils[gil].process
        assert not set(threads) & set(self._cells.cells)
        held = self._cells.rest_held[process]
        row = held[self._place(gil)] if len(held) else _counted(self._cells.rest[process])[0]
        return np.stack([row, np.zeros_like(row), np.zeros_like(row)])

    @cached_property
    def gil_shares(self) -> dict[int, float]:
        """The share of its process's life within the window that each GIL was held."""
        shares, several = {}, self.covered.held
        process = np.array([self.trace.threads[thread].process for thread in self.alive.tolist()], np.int64)
        for gil in self.trace.gils:
            place, mine = self._place(gil.index), self.alive[process == gil.process]
            one = ~np.isin(mine, list(several)) if several else np.ones(len(mine), bool)
            held = int(self.times[mine[one], 0].sum())
            held += sum(int(several[thread][place]) for thread in mine[~one].tolist())
            owner = self.trace.processes[gil.process]
            life = min(owner.end, self.window.end) - max(owner.begin, self.window.start)
            shares[gil.index] = held / max(life, 1)
        return shares

    @property
    def holds(self) -> int:
        """How many holds there are in the window."""
        return int(self.covered.holds.sum())

    def _place(self, gil: int) -> int:
        """Return the place of a GIL among those of its process."""
        process = self.trace.gils[gil].process
        return sum(other.process == process for other in self.trace.gils[:gil])

    def _sum(self, threads: list[int]) -> Times:
        """Return the cells of threads together; of those without a lane all are meant, or none."""
        cells = self._cells
        total = np.zeros((len(State), len(self.edges) - 1), np.int64)
        for thread in threads:
            if thread in cells.cells:
                total += cells.cells[thread]
        if any(thread not in cells.cells for thread in threads):
            for rest in cells.rest.values():
                total += rest
        return total

    def _styled(self, cells: Times) -> Times:
        if not self.cpus:
            return _counted(cells)
        styled: Times = cells[[style.state for style in self.styles]]
        return styled


def _counted(cells: Times) -> Times:
    """Return the times in `rows.COUNTED` from those in each state: shape (states, n) → (3, n)."""
    held = cells[list(HELD)].sum(axis=0)
    waiting = cells[State.WAITING]
    return np.stack([held, waiting, cells.sum(axis=0) - cells[list(_OF_GIL)].sum(axis=0)])


def _row(times: Times, number: int) -> Times:
    row: Times = times[number]
    return row

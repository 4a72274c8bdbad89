"""A trace: each GIL in the order of the lock, who held it, waited for it and asked for it."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np

from ...amounts import Amounts
from ...arrays import Bools, Int64s, Table
from ...dtypes import HANDOFF, Outcome
from ...fold.feed import timed_lengths
from ...model import Gil, State
from ..gil import requests
from ..gil.anatomy import ANATOMY, WITHOUT_CPU, parts_of_waits
from ..gil.anatomy_clock import GilClock, StallClock
from ..gil.handoffs import Holds, first_releases, handoff_table, holds_of
from ..gil.switch_interval import seen_interval
from ..gil.waits import someone_waits, wait_table
from .cpus import TraceCpus


class TraceGils(TraceCpus):
    """See `Trace`."""

    @cached_property
    def waits(self) -> Table:
        """The WAIT table: shape (waits,), sorted by (thread, start)."""
        return wait_table(self.columns, self.intervals_by_column, self.gil_of_events)

    @cached_property
    def anatomy(self) -> Table:
        """The ANATOMY table (analysis.tables.gil.anatomy): what each wait was spent on, as in `waits`."""
        table = np.zeros(len(self.waits), ANATOMY)
        for gil in self.gils:
            mine = self.waits_for(gil)
            start = self.waits["start"][mine]
            end = start + self.waits["duration"][mine]
            acquired = self.waits["outcome"][mine] == Outcome.ACQUIRED
            taker = np.where(acquired, self.waits["thread"][mine], -1)
            off = {state: self.stall_clock(gil, state) for state in WITHOUT_CPU} if self.scheduling else {}
            for name, values in parts_of_waits(self.gil_clock(gil), off, start, end, taker).items():
                table[name][mine] = values
        return table

    @cached_property
    def handoffs(self) -> Table:
        """The HANDOFF table: shape (handoffs,), GIL after GIL, each in the order of the lock."""
        tables = [handoff_table(gil.index, self.holds(gil), *self.contended(gil)) for gil in self.gils]
        if len(tables) == 1:
            return tables[0]
        return np.concatenate(tables) if tables else np.empty(0, HANDOFF)

    def holds(self, gil: Gil) -> Holds:
        """Return the holds of a GIL, in the order of the lock."""
        if gil.index not in self._holds:
            intervals = self.intervals_by_column
            unseen = self._of_gil(gil, first_releases(intervals))
            holds = holds_of(self.columns, intervals, self.holding(gil), unseen)
            self._holds[gil.index] = replace(holds, requested=self._requested(gil, holds))
        return self._holds[gil.index]

    def _requested(self, gil: Gil, holds: Holds) -> Bools:
        process = self.processes[gil.process]
        if process.version >= requests.OWN_REQUESTS:
            trusted_until = self.end
        else:
            trusted_until = requests.all_known(self.intervals_by_column, self.threads_of(process))
        return requests.requested(holds, *self.timed_waits(gil), trusted_until)

    def timed_waits(self, gil: Gil) -> tuple[Int64s, Int64s]:
        """Return when the timed waits for a GIL that ran out, an interval each, began and ended, in ns."""
        events = self._events_of(self.processes[gil.process])
        alone = sum(other.process == gil.process for other in self.gils) == 1
        at = requests.timeouts(self.columns, events, None if alone else gil.number)
        return requests.timed_waits(self.columns, at)

    @cached_property
    def switch_intervals(self) -> tuple[int, ...]:
        """The switch interval of each of `gils`, ns; 0: unknown, or there is none (before Python 3.2).

        That of its process's start, unless timed waits for it were clearly of another: a program may set it
        while it runs. See `analysis.tables.gil.switch_interval`.
        """
        lengths = timed_lengths(self)
        if lengths is None:
            waits = [self.timed_waits(gil) for gil in self.gils]
            lengths = [Amounts.of(ended - began) for began, ended in waits]
        return tuple(
            seen_interval(self.processes[gil.process].switch_interval, lengths[gil.index])
            for gil in self.gils
        )

    def waits_for(self, gil: Gil) -> slice | Int64s:
        """Return which rows of the WAIT table are about a GIL."""
        return slice(None) if len(self.gils) == 1 else np.flatnonzero(self.waits["gil"] == gil.index)

    def stall_clock(self, gil: Gil, state: State = State.STALLED) -> StallClock:
        """Return the clock of the stretches in which the holder of a GIL was STALLED, or HOLDING_ASLEEP."""
        states, intervals = self.states_by_column, self.intervals_by_column
        at = np.flatnonzero(states.state == state)
        if len(self.gils) > 1:
            of_gil = np.zeros(len(intervals.start), bool)
            of_gil[self.holding(gil)] = True
            at = at[of_gil[states.of[at]]]
        begin = states.start[at]
        order = np.argsort(begin, kind="stable")
        begin = begin[order]
        return StallClock.of(self.gil_clock(gil), begin, begin + states.duration[at][order])

    def first_requests(self, gil: Gil) -> Int64s:
        """Return when the first drop request to each of `holds(gil)` was made, ns; requests.NEVER: none."""
        return requests.first_requests(self.holds(gil), *self.timed_waits(gil))

    def gil_clock(self, gil: Gil) -> GilClock:
        """Return how long a GIL was held and asked for, up to any time."""
        if gil.index not in self._clocks:
            begin = self.processes[gil.process].begin
            self._clocks[gil.index] = GilClock.of(self.holds(gil), self.first_requests(gil), begin)
        return self._clocks[gil.index]

    def contended(self, gil: Gil) -> tuple[Int64s, Int64s]:
        """Return the stretches in which at least one thread waits for a GIL: their begins and ends, in ns."""
        if gil.index not in self._contended:
            intervals, waiting = self.intervals_by_column, self.waiting(gil)
            start = intervals.start[waiting]
            self._contended[gil.index] = someone_waits(start, start + intervals.duration[waiting])
        return self._contended[gil.index]

    def holding(self, gil: Gil) -> Int64s:
        """Return the positions of the intervals in which a thread holds this GIL."""
        return self._of_gil(gil, self.intervals_by_column.holding)

    def waiting(self, gil: Gil) -> Int64s:
        """Return the positions of the intervals in which a thread waits for this GIL."""
        return self._of_gil(gil, self.intervals_by_column.waiting)

    def _of_gil(self, gil: Gil, positions: Int64s) -> Int64s:
        """Return those of some intervals, sorted, that began with an event about this GIL."""
        if len(self.gils) == 1:
            return positions
        intervals = self.intervals_by_column
        threads = self.threads_of(self.processes[gil.process])
        begin, end = np.searchsorted(positions, intervals.first[[threads.start, threads.stop]])
        mine: Int64s = positions[begin:end]
        if sum(other.process == gil.process for other in self.gils) > 1:
            mine = mine[self.columns.gil[intervals.event[mine]] == gil.number]
        return mine

    @cached_property
    def _holds(self) -> dict[int, Holds]:
        return {}

    @cached_property
    def _clocks(self) -> dict[int, GilClock]:
        return {}

    @cached_property
    def _contended(self) -> dict[int, tuple[Int64s, Int64s]]:
        return {}

"""What the replay's program is made from: intervals with the work that was done in them, and their order.

An interval is named by its position in `Intervals` throughout; arrays have one element an interval unless
something else is said. Times and durations are in ns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.arrays import Bools, Int32s, Int64s, distinct
from analysis.model import Gil, State
from analysis.tables.gil import requests
from analysis.tables.gil.intervals import Intervals
from analysis.tables.trace import Trace

NEVER = requests.NEVER


@dataclass(frozen=True)
class LockOrder:
    """The holds of one GIL in the order of the lock, those whose acquire was seen."""

    gil: Gil
    at: Int64s
    """Their intervals."""
    acquired: Int64s
    released: Int64s
    thread: Int32s
    requested: Bools

    def before(self, time: Int64s) -> Int64s:
        """Return which hold began last before each time; -1: none."""
        found: Int64s = np.searchsorted(self.acquired, time, "left") - 1
        return found


class Recording:
    """A trace as the replay sees it."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.intervals: Intervals = trace.intervals_by_column
        intervals = self.intervals
        self.start, self.end = intervals.start, intervals.start + intervals.duration
        self.state = intervals.state
        self.thread = np.repeat(np.arange(len(trace.threads), dtype=np.int32), np.diff(intervals.first))
        self.gil = np.where(self.state >= State.WAITING, trace.gil_of_events[intervals.event], -1)
        self.scheduled = trace.scheduling is not None

    @cached_property
    def last(self) -> Bools:
        """Whether it is its thread's last."""
        last = np.zeros(len(self.start), bool)
        last[self.intervals.first[1:] - 1] = True
        return last

    @cached_property
    def orders(self) -> list[LockOrder]:
        """One for each GIL."""
        return [self._order(gil) for gil in self.trace.gils]

    def _order(self, gil: Gil) -> LockOrder:
        holds = self.trace.holds(gil)
        at = self.trace.holding(gil)
        acquired = self.start[at]
        if not (acquired[1:] > acquired[:-1]).all():
            order = np.argsort(acquired, kind="stable")
            in_order = acquired[order]
            if (in_order[1:] == in_order[:-1]).any():  # a hold of no length is before one that begins then
                order = np.lexsort((self.end[at], acquired))
            at = at[order]
        seen = holds.acquire_seen
        requested = holds.requested if seen.all() else holds.requested[seen]
        return LockOrder(gil, at, self.start[at], self.end[at], self.thread[at], requested)

    # Work: time in a hold, less what the thread lost its CPU to other threads of the trace: the replay has
    # them compete anew. What it lost to other programs stays: they are not in the replay, and would be there
    # again. Without scheduling a stretch without the GIL is no work at all.

    def _full(self, begin: Int64s, duration: Int64s) -> Int64s:
        """Return how long, within these stretches, all CPUs ran threads of the trace."""
        begins, before = self._all_busy

        def until(time: Int64s) -> Int64s:
            at = np.searchsorted(begins, time, "right") - 1
            inside = np.maximum(at, 0)
            passed = np.minimum(time - begins[inside], before[inside + 1] - before[inside])
            full: Int64s = np.where(at >= 0, before[inside] + passed, 0)
            return full

        return until(begin + duration) - until(begin) if len(begins) else np.zeros(len(begin), np.int64)

    @cached_property
    def _all_busy(self) -> tuple[Int64s, Int64s]:
        """Begins of the stretches in which all CPUs ran threads of the trace, and their sums before each."""
        assert self.trace.scheduling is not None
        on_cpu, cpus = self.trace.on_cpu, max(len(self.trace.scheduling.cpus), 1)
        time = np.concatenate([on_cpu["start"], on_cpu["start"] + on_cpu["duration"]])
        change = np.repeat([1, -1], len(on_cpu))
        order = np.lexsort((change, time))
        running = np.cumsum(change[order])
        full = np.flatnonzero(running[:-1] >= cpus)
        begins = time[order][full]
        before = np.zeros(len(full) + 1, np.int64)
        np.cumsum(time[order][full + 1] - begins, out=before[1:])
        return begins, before

    def work_until(self, interval: Int64s, time: Int64s) -> Int64s:
        """Return the work in these holds up to these times, which are in them."""
        start = self.start[interval]
        if not self.scheduled or not len(interval):
            passed: Int64s = time - start
            return passed
        # Of what was asked about only: mostly few holds of many.
        states, holds = self.trace.states_by_column, distinct(interval)
        low, high = (np.searchsorted(states.of, holds, side) for side in ("left", "right"))
        count = high - low
        rows = np.repeat(low - (np.cumsum(count) - count), count) + np.arange(int(count.sum()))
        works = states.duration[rows]
        stalled = np.flatnonzero(states.state[rows] == State.STALLED)
        works[stalled] -= self._full(states.start[rows[stalled]], works[stalled])
        before = np.append(0, np.cumsum(works))
        begin = int(start.min())
        span = int(max(time.max(), states.start[rows].max() if len(rows) else 0)) - begin + 2
        key = np.repeat(np.arange(len(holds)), count) * span + (states.start[rows] - begin)
        hold = np.searchsorted(holds, interval)
        done: Int64s = np.zeros(len(time), np.int64)
        for sign, moment in ((1, time), (-1, start)):
            wanted = hold * span + (moment - begin)
            at = np.searchsorted(key, wanted, "right") - 1
            done += sign * (before[at] + np.minimum(wanted - key[at], works[at]))
        return done

    @cached_property
    def work(self) -> Int64s:
        """Work in holds; 0 elsewhere."""
        work = np.where(self.state == State.HOLDING, self.intervals.duration, 0)
        if self.scheduled:
            states = self.trace.states_by_column
            stalled = np.flatnonzero(states.state == State.STALLED)
            np.subtract.at(
                work, states.of[stalled], self._full(states.start[stalled], states.duration[stalled])
            )
        return work

    @cached_property
    def native(self) -> Int64s:
        """Work without the GIL: NATIVE; none is known without scheduling."""
        return self._of_state(State.NATIVE)

    @cached_property
    def blocked(self) -> Int64s:
        """What is left of stretches without the GIL."""
        without = (self.state == State.RELEASED) | (self.state == State.UNKNOWN)
        blocked = np.where(without, self.intervals.duration - self.native, 0)
        return blocked - self._preempted if self.scheduled else blocked

    @property
    def asleep(self) -> tuple[Int64s, Int64s, Int64s]:
        """Stretches in which a holder slept: their holds, begins and ends."""
        states = self.trace.states_by_column
        at = np.flatnonzero(states.state == State.HOLDING_ASLEEP)
        return states.of[at], states.start[at], states.start[at] + states.duration[at]

    @cached_property
    def _preempted(self) -> Int64s:
        """How long a thread without the GIL had lost its CPU to others of the trace."""
        states = self.trace.states_by_column
        ready = np.flatnonzero(states.state == State.READY)
        sums = np.zeros(len(self.start), np.int64)
        np.add.at(sums, states.of[ready], self._full(states.start[ready], states.duration[ready]))
        return sums

    def _of_state(self, state: State) -> Int64s:
        """Return, for each interval, how long it was in a state."""
        sums = np.zeros(len(self.start), np.int64)
        if self.scheduled:
            states = self.trace.states_by_column
            at = np.flatnonzero(states.state == state)
            np.add.at(sums, states.of[at], states.duration[at])
        return sums

    @property
    def lost_to_others(self) -> float:
        """Share of the time in holds in which other programs had the thread's CPU."""
        held = int(self.intervals.duration[self.state == State.HOLDING].sum())
        stalled = int(self._of_state(State.STALLED).sum())
        gone = held - int(self.work.sum())
        return (stalled - gone) / held if held else 0.0

    # Requests.

    @cached_property
    def answers(self) -> list[tuple[Int64s, Int64s, Int64s]]:
        """For each of `orders` which holds answered a request, and their work until it and in all."""
        return [self._answers(order) for order in self.orders]

    def _answers(self, order: LockOrder) -> tuple[Int64s, Int64s, Int64s]:
        asked = requests.first_requests(order, *self.trace.timed_waits(order.gil))
        which = np.flatnonzero(order.requested & (asked < NEVER))
        hold = order.at[which]
        return hold, self.work_until(hold, asked[which]), self.work[hold]

"""The work in a recording's holds.

That is the time in a hold, less what the thread lost its CPU to other threads of the trace: the replay has
them compete anew. What it lost to other programs stays: they are not in the replay, and would be there
again. Without scheduling a stretch without the GIL is no work at all.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ...arrays import Bools, Int32s, Int64s
from ...model import State
from ...tables.trace import Trace
from .compact import in_parts
from .intervals import RecordedIntervals


class RecordedWork(RecordedIntervals):
    """See `Recording`."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)
        self.scheduled = trace.scheduling is not None
        self._full = self._all_running()
        if self.from_streams and trace.on_cpus is not None:
            trace.on_cpus.give_up()

    def _all_running(self) -> Int64s:
        """Return for how long, in each piece of `brief`, all CPUs ran threads of the trace."""
        stretches, scheduling, brief = self.trace.stretches, self.trace.scheduling, self.brief
        if stretches is None or scheduling is None:
            return brief.off_begin[:0]
        return stretches.all_running(max(len(scheduling.cpus), 1), brief.off_begin, brief.off_end)

    @cached_property
    def _stalled(self) -> tuple[Int64s, Int64s, Int64s, Int64s]:
        """Stretches in which a holder was stalled: hold, begin, end, and how long all CPUs were full then."""
        return self._pieces(State.STALLED)

    def _pieces(self, state: State) -> tuple[Int64s, Int64s, Int64s, Int64s]:
        brief = self.brief
        at = np.flatnonzero(brief.off_state == state)
        begin, end = brief.off_begin[at], brief.off_end[at]
        return brief.off_of[at], begin, end, self._full[at] if self.scheduled else begin[:0]

    def work_until(self, interval: Int64s, time: Int64s) -> Int64s:
        """Return the work in these holds up to these times, which are in them."""
        passed = time - self.start[interval]
        if not self.scheduled or not len(interval):
            return passed
        hold, begin, end, full = self._stalled
        stalled = np.flatnonzero(self._has_stalls[interval])
        low, high = (np.searchsorted(hold, interval[stalled], side) for side in ("left", "right"))
        count = high - low
        which = np.repeat(stalled, count)
        piece = np.repeat(low - (np.cumsum(count) - count), count) + np.arange(int(count.sum()))
        work = end[piece] - begin[piece] - full[piece]
        within = np.clip(time[which] - begin[piece], 0, end[piece] - begin[piece])
        np.subtract.at(passed, which, np.maximum(within - work, 0))
        return passed

    def work_of(self, interval: Int32s | Int64s) -> Int64s:
        """Return all the work in these holds."""
        work = self.end_of(interval)
        for low, high in in_parts(len(interval)):
            some, mine = interval[low:high], work[low:high]
            mine -= self.start[some]
            if self.scheduled:
                stalled = np.flatnonzero(self._has_stalls[some])
                of = some[stalled].astype(np.int64)
                hold, before = self._stalled[0], self._lost_before
                mine[stalled] -= before[np.searchsorted(hold, of, "right")]
                mine[stalled] += before[np.searchsorted(hold, of, "left")]
        return work

    @cached_property
    def _has_stalls(self) -> Bools:
        """Which intervals are holds with stretches in which the holder was stalled."""
        stalled = np.zeros(len(self.start), bool)
        stalled[self._stalled[0]] = True
        return stalled

    @cached_property
    def _lost_before(self) -> Int64s:
        """How much of holds is no work, up to each of `_stalled`."""
        return np.append(0, np.cumsum(self._stalled[3]))

    def lost_in(self, low: int, high: int, durations: Int64s) -> None:
        """Take from the durations of intervals what their threads lost a CPU to others of the trace for.

        Of holds work is left, of stretches without the GIL what their threads chose.
        """
        for of, _, _, full in (self._stalled, self._ready) if self.scheduled else ():
            some = slice(*np.searchsorted(of, [low, high]).tolist())
            np.subtract.at(durations, of[some] - low, full[some])

    @cached_property
    def _ready(self) -> tuple[Int64s, Int64s, Int64s, Int64s]:
        """Stretches in which a thread without the GIL had lost its CPU: as `_stalled`."""
        return self._pieces(State.READY)

    @property
    def asleep(self) -> tuple[Int64s, Int64s, Int64s]:
        """Stretches in which a holder slept: their holds, begins and ends."""
        brief = self.brief
        at = np.flatnonzero(brief.off_state == State.HOLDING_ASLEEP)
        return brief.off_of[at], brief.off_begin[at], brief.off_end[at]

    @cached_property
    def lost_to_others(self) -> float:
        """Share of the time in holds in which other programs had the thread's CPU."""
        held = 0
        for low, high in in_parts(len(self.start)):
            held += int(self.durations(low, high)[self.state[low:high] == State.HOLDING].sum())
        _, begin, end, full = self._stalled
        return int((end - begin - full).sum()) / held if held and self.scheduled else 0.0

"""A trace: the code that held a GIL, or wanted it."""

from __future__ import annotations

from functools import cached_property
from typing import Final

import numpy as np

from ...arrays import Bools, Int32s, Int64s, Table
from ...dtypes import SAMPLE
from ...model import Gil, State
from ...reader.format import Event
from ..gil.handoffs import frames_of_holds, holds_at
from ..gil.waits import waiters_at
from .gils import TraceGils

_MOMENT: Final = 250_000
"""ns without a CPU that the sampler, and whoever runs before the thread does again, may take."""


class TraceCode(TraceGils):
    """See `Trace`."""

    @cached_property
    def wait_frames(self) -> Int32s:
        """For each of `waits` the frame, an index in `frames`, that wanted the GIL; -1: unknown."""
        intervals = self.intervals_by_column
        frames = np.full(len(intervals.waiting), -1, np.int32)
        ended = np.flatnonzero(intervals.kind_after(intervals.waiting) == Event.GIL_ACQUIRED)
        frames[ended] = self._frames_at(intervals.event[intervals.waiting[ended] + 1])
        thread, frame = self._frames_ahead
        last = intervals.first[thread + 1] - 1
        goes_on = intervals.state[last] == State.WAITING
        frames[np.searchsorted(intervals.waiting, last[goes_on])] = frame[goes_on]
        return frames

    def release_frames(self, gil: Gil) -> Int32s:
        """Return for each of the `holds` of a GIL the frame at its end: an index in `frames`, -1: unknown.

        It is recorded where somebody waited then. A hold that goes on at the end of a part has that of its
        end beyond it.
        """
        holds = self.holds(gil)
        events = self._events_of(self.processes[gil.process])
        told = (self.columns.kind[events] == Event.GIL_RELEASED) & (self.columns.arg[events] != 0)
        if sum(other.process == gil.process for other in self.gils) > 1:
            told &= self.columns.gil[events] == gil.number
        position = np.flatnonzero(told) + events.start
        thread, time = self.columns.thread_of(position), self.columns.time[position]
        frames = frames_of_holds(holds, thread, time, self._frames_at(position))
        ahead = np.full(len(self.threads), -1, np.int32)
        thread, frame = self._frames_ahead
        ahead[thread] = frame
        goes_on = np.flatnonzero(~holds.release_seen & (holds.released == self.columns.end[holds.thread]))
        frames[goes_on] = ahead[holds.thread[goes_on]]
        return frames

    @cached_property
    def _frames_ahead(self) -> tuple[Int64s, Int32s]:
        """Return threads of a part whose hold or wait at its end tells its frame later, and the frames."""
        numbers = self.columns.ahead
        if numbers is None or not numbers.any():
            return np.zeros(0, np.int64), np.zeros(0, np.int32)
        thread = np.flatnonzero(numbers)
        frame = np.empty(len(thread), np.int32)
        process = np.array([each.process for each in self.threads])[thread]
        for each in np.unique(process).tolist():
            mine = process == each
            frame[mine] = self.stacks.of(each, numbers[thread[mine]])
        return thread, frame

    @cached_property
    def samples(self) -> Table:
        """The SAMPLE table: shape (samples,); those of no hold that was seen are left out."""
        parts = [self._samples_of(gil) for gil in self.gils if gil.process < len(self.sampled)]
        return np.concatenate(parts) if parts else np.empty(0, SAMPLE)

    def hold_frames(self, gil: Gil) -> Int32s:
        """Return for each of the `holds` of a GIL the frame that was sampled most; else that at its end."""
        frames = self.release_frames(gil)
        samples = self.samples[self.samples["gil"] == gil.index]
        if len(samples):
            pairs, count = np.unique(
                np.stack([samples["hold"], samples["frame"]], axis=1), axis=0, return_counts=True
            )
            order = np.lexsort((-pairs[:, 1], count))  # the last of a hold is the most frequent
            frames = frames.copy()
            frames[pairs[order, 0]] = pairs[order, 1]
        return frames

    def _samples_of(self, gil: Gil) -> Table:
        records = self.sampled[gil.process]
        records = records[records["gil"] == gil.number]
        holds = self.holds(gil)
        if not len(records) or not len(holds.acquired):  # of a part of a recording: they are of other parts
            return np.empty(0, SAMPLE)
        time = records["timestamp"].astype(np.int64)
        tid = np.array([thread.tid for thread in self.threads], np.int64)
        hold, inside = holds_at(holds, time)
        inside &= tid[holds.thread[hold]] == records["tid"]
        table = np.empty(int(inside.sum()), SAMPLE)
        table["time"], table["gil"], table["hold"] = time[inside], gil.index, hold[inside]
        table["frame"] = self.stacks.of(gil.process, records["frame"][inside])
        start = self.intervals_by_column.start[self.waiting(gil)]
        end = start + self.intervals_by_column.duration[self.waiting(gil)]
        table["waiters"] = waiters_at(start, end, table["time"])
        table["ran"] = self._ran(holds.thread[table["hold"]], table["time"])
        return table

    def _ran(self, thread: Int32s, time: Int64s) -> Bools:
        """Return of samples whether they tell what code ran: not while their thread had long had no CPU.

        Where a thread is preempted is the scheduler's choice, and it prefers system calls. For a moment it is
        without a CPU whenever the sampler itself has taken that.
        """
        if self.scheduling is None:
            return np.ones(len(thread), bool)
        states = self.states_by_column
        at = self._state_at(thread, time)
        ran: Bools = (states.state[at] != State.STALLED) | (states.duration[at] <= _MOMENT)
        return ran

    def _frames_at(self, position: Int64s) -> Int32s:
        """Return the frames that events, in order, name."""
        frames = np.full(len(position), -1, np.int32)
        for process in self.processes:
            events = self._events_of(process)
            mine = slice(*np.searchsorted(position, [events.start, events.stop]).tolist())
            frames[mine] = self.stacks.of(process.index, self.columns.arg[position[mine]])
        return frames

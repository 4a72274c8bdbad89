"""The intervals of a recording: whose they are, what they are, and when they end.

An interval is named by its position in `Brief` throughout, which is that in `trace.intervals`. Of millions of
them hardly any is asked for, waited for or stalled in: what all of them have is kept in a few bytes each, and
all else is worked out for those that are asked about. Times and durations are in ns.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ...arrays import Bools, Int32s, Int64s
from ...fold.briefly import brief_intervals
from ...fold.lanes import can_be_covered
from ...model import Gil, State
from ...tables.trace import Trace
from .compact import in_parts
from .from_tables import brief_of_tables


class RecordedIntervals:
    """See `Recording`."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        brief = brief_intervals(trace) if can_be_covered(trace) else None
        self.from_streams = brief is not None
        self.brief = brief if brief is not None else brief_of_tables(trace)
        self.first, self.start, self.state = self.brief.first, self.brief.start, self.brief.state

    def __len__(self) -> int:
        return len(self.start)

    @cached_property
    def last(self) -> Bools:
        """Whether it is its thread's last."""
        last = np.zeros(len(self.start), bool)
        last[self.first[1:] - 1] = True
        return last

    def thread_of(self, at: Int32s | Int64s) -> Int64s:
        """Return the threads of intervals."""
        found: Int64s = np.searchsorted(self.first, at, "right")
        found -= 1
        return found

    def gil_of(self, at: Int32s | Int64s) -> Int64s:
        """Return the GILs that are held or waited for in intervals; -1: none."""
        return np.where(self.state[at] >= State.WAITING, self.brief.gil[at], -1).astype(np.int64)

    def end_of(self, at: Int32s | Int64s) -> Int64s:
        """Return when intervals end: where the thread's next one begins."""
        end = np.empty(len(at), np.int64)
        for low, high in in_parts(len(at)):
            some, until = at[low:high], end[low:high]
            np.take(self.start, some + 1, out=until, mode="clip")
            last = np.flatnonzero(self.last[some])
            until[last] = self.trace.ends[self.thread_of(some[last])]
        return end

    def durations(self, low: int, high: int) -> Int64s:
        """Return how long the intervals from `low` to `high` are."""
        durations = np.empty(high - low, np.int64)
        durations[:-1] = self.start[low + 1 : high] - self.start[low : high - 1]
        last = np.flatnonzero(self.last[low:high])
        if low < high:
            durations[-1:] = self.end_of(np.array([high - 1])) - self.start[high - 1]
        durations[last] = self.trace.ends[self.thread_of(low + last)] - self.start[low + last]
        return durations

    @cached_property
    def seen_alive(self) -> Bools:
        """Which threads lived when the recording began."""
        if not self.from_streams:
            return self.trace.columns.seen_alive
        return np.array([run.seen_alive for run in self.trace.source.runs], bool)

    @cached_property
    def exited(self) -> Bools:
        """Which threads were seen to exit."""
        if not self.from_streams:
            return self.trace.columns.exited
        return np.array([run.exited for run in self.trace.source.runs], bool)

    @cached_property
    def last_holds(self) -> Int64s:
        """Each thread's last hold; -1: it has none."""
        found = np.full(len(self.trace.threads), -1)
        for thread in range(len(found)):
            holding = np.flatnonzero(self.state[self.first[thread] : self.first[thread + 1]] == State.HOLDING)
            if len(holding):
                found[thread] = self.first[thread] + holding[-1]
        return found

    def wait_frames(self) -> tuple[Int64s, Int32s]:
        """Return waits, and the frames that wanted the GIL; -1: not known."""
        if not self.from_streams:
            return self.trace.intervals_by_column.waiting, self.trace.wait_frames
        wait = np.flatnonzero(self.state == State.WAITING)
        number = self.brief.more[wait]
        frame = np.full(len(wait), -1, np.int32)
        for process in self.trace.processes:
            threads = self.trace.threads_of(process)
            bounds = np.searchsorted(wait, self.first[[threads.start, threads.stop]]).tolist()
            mine = slice(*bounds)
            frame[mine] = self.trace.stacks.of(process.index, number[mine])
        return wait, frame

    def timed_waits(self, gil: Gil) -> tuple[Int64s, Int64s]:
        """Return when the timed waits for a GIL that ran out began and ended."""
        mine = self.brief.timed_gil == gil.index
        if mine.all():
            return self.brief.timed_begin, self.brief.timed_end
        return self.brief.timed_begin[mine], self.brief.timed_end[mine]

    def waits(self) -> tuple[Int64s, Int64s]:
        """Return the durations of all waits, and whose they were."""
        waiting = np.flatnonzero(self.state == State.WAITING)
        return self.end_of(waiting) - self.start[waiting], self.thread_of(waiting)

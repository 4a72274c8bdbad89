"""What all detectors look at: one GIL, its holds and its waits."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from typing import Final

import numpy as np

from ...arrays import Int64s, Table, distinct
from ...measures.switch_interval import DEFAULT_INTERVAL
from ...model import Gil
from ...states import State
from ...tables.anatomy_clock import StallClock
from ...tables.handoffs import Holds
from ...tables.trace import Trace
from ..code_words import function, place

WORTH_IT: Final = 0.05
"""Share of a GIL's time that threads must have waited, all together, for a pattern to matter."""


_NEW_GIL: Final = (3, 2)
"""The first CPython whose GIL has a switch interval in time."""


class Scene:
    """One GIL of a trace."""

    def __init__(self, trace: Trace, gil: Gil) -> None:
        self.trace = trace
        self.gil = gil
        self.process = trace.processes[gil.process]
        self.interval = trace.switch_intervals[gil.index] or DEFAULT_INTERVAL
        self.span = max(self.process.end - self.process.begin, 1)

    @property
    def has_interval(self) -> bool:
        """Whether there is such a thing as a switch interval: before Python 3.2 there was none."""
        return self.process.version >= _NEW_GIL

    @cached_property
    def holds(self) -> Holds:
        """Its holds, in the order of the lock."""
        return self.trace.holds(self.gil)

    @cached_property
    def lengths(self) -> Int64s:
        """How long the holds are, ns."""
        return self.holds.released - self.holds.acquired

    @cached_property
    def waits(self) -> Table:
        """Its rows of the WAIT table, sorted by (thread, start)."""
        return self.trace.waits[self.trace.waits_for(self.gil)]

    @cached_property
    def anatomy(self) -> Table:
        """Their rows of the ANATOMY table."""
        return self.trace.anatomy[self.trace.waits_for(self.gil)]

    @cached_property
    def waited(self) -> int:
        """How long threads waited, all together, ns."""
        return int(self.waits["duration"].sum())

    @cached_property
    def contended(self) -> int:
        """For how long at least one thread waited, ns."""
        begin, end = self.trace.contended(self.gil)
        return int((end - begin).sum())

    @cached_property
    def stalls(self) -> StallClock:
        """The clock of the stretches in which the holder wanted a CPU; none without scheduling."""
        return self.trace.stall_clock(self.gil)

    @cached_property
    def sleeps(self) -> StallClock:
        """The clock of the stretches in which the holder slept; none without scheduling."""
        return self.trace.stall_clock(self.gil, State.HOLDING_ASLEEP)

    @cached_property
    def takers(self) -> Int64s:
        """Indices of the threads that hold it for some time, or wait for it."""
        took = self.holds.thread[self.lengths > 0]
        return distinct(np.concatenate([took, self.waits["thread"]])).astype(np.int64)

    @cached_property
    def held(self) -> Int64s:
        """How long each of `takers` held it, ns."""
        place = np.searchsorted(self.takers, self.holds.thread)
        mine = np.flatnonzero(self.lengths > 0)
        held = np.zeros(len(self.takers), np.int64)
        np.add.at(held, place[mine], self.lengths[mine])
        return held

    def waits_by_thread(self) -> Iterator[tuple[int, slice]]:
        """Yield each thread that waits, and where its waits are."""
        thread = self.waits["thread"]
        bounds = np.flatnonzero(np.diff(thread, prepend=-1, append=-1)).tolist()
        for begin, end in pairwise(bounds):
            yield int(thread[begin]), slice(begin, end)

    def life(self, thread: int) -> int:
        """How long a thread lived in the trace, ns."""
        return max(self.trace.threads[thread].end - self.trace.threads[thread].begin, 1)

    def who(self, thread: int, frame: int) -> str:
        """What to call a thread in a frame, -1: unknown."""
        name = self.name(thread)
        if frame < 0:
            return name
        row = self.trace.frames[frame]
        code = self.trace.codes[row["code"]]
        return f"{function(code)}, {place(code, int(row['line']))}, in {name}"

    def name(self, thread: int) -> str:
        """What to call a thread: with its process where others are called the same."""
        found = self.trace.threads[thread]
        alike = sum(other.name == found.name for other in self.trace.threads) > 1
        return f"{found.name} of process {self.process.pid}" if alike else found.name

"""What all detectors look at: one GIL, its holds and its waits."""

from __future__ import annotations

from functools import cached_property
from typing import Final

from ...measures.switch_interval import DEFAULT_INTERVAL
from ...model import Gil
from ...tables.trace import Trace
from ..code.words import function, place
from .contention import Contention, contention
from .taker import Taker, takers

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
    def takers(self) -> list[Taker]:
        """The threads that hold it for some time, or wait for it."""
        return takers(self.trace, self.gil, self.interval)

    @property
    def threads(self) -> tuple[int, ...]:
        """Their indices."""
        return tuple(taker.thread for taker in self.takers)

    @cached_property
    def waited(self) -> int:
        """How long threads waited, all together, ns."""
        return sum(taker.waited for taker in self.takers)

    @cached_property
    def contention(self) -> Contention:
        """When, and for how long, at least one thread waited; and what became of the GIL meanwhile."""
        return contention(self.trace, self.gil)

    @property
    def contended(self) -> int:
        """For how long at least one thread waited, ns."""
        return self.contention.time

    @property
    def all_waiting(self) -> str:
        """What to call the waiting for this GIL: where there are others, it is not all of it."""
        others = [gil for gil in self.trace.gils if gil.index != self.gil.index]
        if not others:
            return "all waiting"
        if any(gil.process == self.gil.process for gil in others):
            return f"all waiting for GIL {self.gil.number} of process {self.process.pid}"
        return f"all waiting in process {self.process.pid}"

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

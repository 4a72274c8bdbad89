"""Random valid schedules: threads that take a GIL from each other as CPython's do, in every way it knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis.strategies as st

from analysis import State
from tests.synthetic import TraceWriter

Step = tuple[int, int]
"""(thread, step): the step is taken modulo what the thread could do then."""


@dataclass
class Schedule:
    """A simulation of one process, and what must come out of it."""

    threads: int
    gils: int = 1
    now: int = 1000
    events: list[tuple[int | str, ...]] = field(default_factory=list)
    holder: dict[int, int] = field(default_factory=dict)
    acquired: dict[int, int] = field(default_factory=dict)
    asked: dict[int, bool] = field(default_factory=dict)
    waiting: dict[int, int] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    begun: dict[int, int] = field(default_factory=dict)
    since: dict[int, int] = field(default_factory=dict)
    state: dict[int, State] = field(default_factory=dict)
    time: dict[int, dict[State, int]] = field(default_factory=dict)
    handoffs: list[tuple[int, int]] = field(default_factory=list)
    last_holder: dict[int, int] = field(default_factory=dict)

    def emit(self, thread: int, event: str, gil: int = 0) -> None:
        self.events.append((100 + thread, self.now, event, gil))

    def become(self, thread: int, state: State) -> None:
        if thread in self.state:
            self.time[thread][self.state[thread]] += self.now - self.since[thread]
        else:
            self.time[thread] = dict.fromkeys(State, 0)
            self.begun[thread] = self.now
        self.state[thread] = state
        self.since[thread] = self.now

    def step(self, thread: int, choice: int, pause: int) -> None:
        """Let a thread do one of the things that it could do now."""
        self.now += pause
        if thread in self.gone:
            return
        gil = choice % self.gils
        if thread in self.waiting:
            self._go_on_waiting(thread, choice)
        elif self.holder.get(self.acquired.get(thread, -1)) == thread:
            self._release(thread)
        elif thread in self.begun and choice % 7 == 6:
            self.emit(thread, "thread_exit")
            self.become(thread, State.RELEASED)
            self.gone.add(thread)
        elif self.holder.get(gil) is None:
            self._acquire(thread, gil)
        else:
            self.emit(thread, "gil_wait", gil)
            self.become(thread, State.WAITING)
            self.waiting[thread] = gil

    def _go_on_waiting(self, thread: int, choice: int) -> None:
        gil = self.waiting[thread]
        if self.holder.get(gil) is None:
            del self.waiting[thread]
            self._acquire(thread, gil)
        elif choice % 7 == 6:
            self.emit(thread, "gil_abandoned", gil)
            self.become(thread, State.RELEASED)
            del self.waiting[thread]
        else:
            self.emit(thread, "gil_timeout", gil)
            self.asked[gil] = True

    def _acquire(self, thread: int, gil: int) -> None:
        self.emit(thread, "gil_acquired", gil)
        self.become(thread, State.HOLDING)
        if gil in self.last_holder:
            self.handoffs.append((self.last_holder[gil], thread))
        self.holder[gil] = thread
        self.acquired[thread] = gil
        self.asked[gil] = False

    def _release(self, thread: int) -> None:
        self.now += 1  # of two holds of no length at one time nobody could tell the order
        gil = self.acquired.pop(thread)
        self.emit(thread, "gil_released", gil)
        self.become(thread, State.RELEASED)
        if self.asked[gil]:
            self.emit(thread, "gil_drop_requested", gil)
        del self.holder[gil]
        self.last_holder[gil] = thread

    def finish(self, path: Path, *, stop: bool, **environment: Any) -> Path:
        """Write it."""
        for thread in self.state:
            if thread not in self.gone:
                self.become(thread, self.state[thread])
        with TraceWriter(path) as writer:
            process = writer.process(100, **environment)
            process.events(self.events)
            for thread in self.begun:
                process.name(100 + thread, self.begun[thread], f"thread number {thread}")
            if stop:
                process.stop(self.events[0][0] if isinstance(self.events[0][0], int) else 100, self.now)
        return path


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Schedules of up to six threads and two GILs."""
    schedule = Schedule(draw(st.integers(1, 6)), draw(st.integers(1, 2)))
    thread = st.integers(0, schedule.threads - 1)
    pause = st.sampled_from([0, 1, 7, 1000])
    steps = draw(st.lists(st.tuples(thread, st.integers(0, 13), pause), min_size=1, max_size=120))
    for who, choice, wait in steps:
        schedule.step(who, choice, wait)
    return schedule

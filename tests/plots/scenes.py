"""Traces to draw: a small simulation of the GIL writes what the recorder would have seen.

A thread is a list of steps: ("compute", ns) needs the GIL, ("free", ns) does without it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path

import numpy as np

from analysis.reader.format import Event
from tests.synthetic import ProcessWriter, TraceWriter

MS = 1_000_000
US = 1_000

Steps = Iterable[tuple[str, int]]
Events = list[tuple[int | str, ...]]


class Gil:
    """One simulated GIL: hands over on release, and on request after a switch interval."""

    def __init__(self, number: int = 0, interval: int = 5 * MS, latency: int = 9 * US) -> None:
        self.number = number
        self.interval = interval
        self.latency = latency
        self.events: Events = []
        self._queue: list[tuple[int, int, Callable[[int], None]]] = []
        self._order = count()
        self._owner: int | None = None
        self._waiting: list[int] = []
        self._turn: dict[int, int] = {}
        self._left: dict[int, int] = {}
        self._since = 0
        self._steps: dict[int, list[tuple[str, int]]] = {}

    def thread(self, tid: int, birth: int, steps: Steps) -> Gil:
        """Add a thread that asks for the GIL at its birth."""
        self._steps[tid] = list(steps)
        self._turn[tid] = 0
        self._at(birth, lambda t: self._next(tid, t))
        return self

    def run(self, until: int) -> Events:
        """Return what happens before a time, in order."""
        while self._queue and self._queue[0][0] < until:
            time, _, action = heapq.heappop(self._queue)
            action(time)
        return self.events

    def _at(self, time: int, action: Callable[[int], None]) -> None:
        heapq.heappush(self._queue, (time, next(self._order), action))

    def _emit(self, tid: int, time: int, name: str) -> None:
        self.events.append((tid, time, name, self.number))

    def _next(self, tid: int, time: int) -> None:
        steps = self._steps[tid]
        if not steps:
            if self._owner == tid:
                self._release(tid, time, requested=False)
            self.events.append((tid, time + US, "thread_exit"))
            return
        what, length = steps.pop(0)
        if what == "free":
            if self._owner == tid:
                self._release(tid, time, requested=False)
            self._at(time + length, lambda t: self._next(tid, t))
            return
        self._left[tid] = length
        if self._owner == tid:
            self._compute(tid, time)
        else:
            self._ask(tid, time)

    def _ask(self, tid: int, time: int) -> None:
        if self._owner is None:
            self._take(tid, time)
            return
        self._emit(tid, time, "gil_wait")
        self._waiting.append(tid)
        self._turn[tid] += 1
        turn = self._turn[tid]
        self._at(time + self.interval, lambda t: self._timeout(tid, turn, t))

    def _timeout(self, tid: int, turn: int, time: int) -> None:
        if self._turn[tid] != turn or tid not in self._waiting:
            return
        self._emit(tid, time, "gil_timeout")
        owner = self._owner
        if owner is not None and self._since <= time - self.interval:  # no switch since this wait began
            since = self._since
            self._at(time + US, lambda t: self._drop(owner, since, t))
        self._at(time + self.interval, lambda t: self._timeout(tid, turn, t))

    def _drop(self, tid: int, since: int, time: int) -> None:
        if self._owner != tid or self._since != since or time <= since:
            return
        self._left[tid] -= time - since
        self._turn[tid] += 1
        self._release(tid, time, requested=True)
        self._at(time + self.latency + US, lambda t: self._ask(tid, t))  # not before another has taken it

    def _release(self, tid: int, time: int, *, requested: bool) -> None:
        self._emit(tid, time, "gil_released")
        if requested:
            self._emit(tid, time, "gil_drop_requested")
        self._owner = None
        if self._waiting:
            taker = self._waiting.pop(0)
            self._owner = taker  # nobody can take it in between
            self._since = time + self.latency
            self._at(time + self.latency, lambda t: self._take(taker, t))

    def _take(self, tid: int, time: int) -> None:
        self._owner = tid
        self._since = time
        self._emit(tid, time, "gil_acquired")
        self._compute(tid, time)

    def _compute(self, tid: int, time: int) -> None:
        self._since = time
        self._turn[tid] += 1
        turn = self._turn[tid]
        self._at(time + self._left[tid], lambda t: self._done(tid, turn, t))

    def _done(self, tid: int, turn: int, time: int) -> None:
        if self._turn[tid] == turn and self._owner == tid:
            self._next(tid, time)


def record(
    trace: TraceWriter,
    gils: list[Gil],
    names: dict[int, str],
    *,
    pid: int = 100,
    ppid: int = 1,
    begin: int = 0,
    end: int,
    killed: bool = False,
    alive: Iterable[int] = (),
    **environment: object,
) -> ProcessWriter:
    """Write one process: the events of its GILs until `end`; thread `pid` is its main thread."""
    process = trace.process(pid, ppid, begin=begin, **environment)
    events: Events = [(pid, begin, "recording_start")] if ppid == 1 else []
    for gil in gils:
        events += gil.run(end)
    process.events(sorted(events, key=lambda e: int(e[1])))
    process.name(pid, begin, "MainThread")
    for tid in alive:
        process.name(tid, begin, "python3", "thread_alive")
    for tid, name in names.items():
        process.name(tid, begin, name)
    if not killed:
        process.stop(pid, end)
    return process


def main_steps(wait: int) -> Steps:
    """A main thread that starts others, then joins them."""
    return [("compute", 300 * US), ("free", wait), ("compute", 50 * US), ("free", 10**12)]


def two_threads(path: Path, *, killed: bool = False, end: int = 232 * MS) -> Path:
    """The split countdown: two threads that compute share one GIL."""
    gil = Gil().thread(100, 0, main_steps(230 * MS))
    for i in (1, 2):
        gil.thread(100 + i, i * 300 * US, [("compute", 110 * MS)])
    with TraceWriter(path) as trace:
        record(trace, [gil], {101: "countdown-1", 102: "countdown-2"}, end=end, killed=killed)
    return path


def four_kinds(path: Path) -> Path:
    """Threads that compute, sleep and hash; one of them was there before the recording began."""
    gil = Gil().thread(100, 0, main_steps(240 * MS))
    gil.thread(101, 200 * US, [("compute", 110 * MS)])
    gil.thread(102, 25 * MS, [("compute", 110 * MS)])
    gil.thread(103, 15 * MS, [step for _ in range(12) for step in (("free", 3 * MS), ("compute", 80 * US))])
    gil.thread(104, 26 * MS, [step for _ in range(30) for step in (("free", 2 * MS), ("compute", 40 * US))])
    with TraceWriter(path) as trace:
        names = {101: "countdown-1", 102: "countdown-2", 103: "io (sleep 3 ms)", 104: "sha256"}
        record(trace, [gil], names, end=249 * MS, alive=[102, 103])
    return path


def one_thread(path: Path) -> Path:
    """No contention at all."""
    gil = Gil().thread(
        100, 0, [("compute", 40 * MS), ("free", 3 * MS), ("compute", 57 * MS), ("free", 10**12)]
    )
    with TraceWriter(path) as trace:
        record(trace, [gil], {}, end=104 * MS)
    return path


def no_gil(path: Path) -> Path:
    """Two threads that compute without the GIL."""
    gil = Gil().thread(100, 0, main_steps(150 * MS))
    for i in (1, 2):
        gil.thread(
            100 + i,
            300 * US + i * 200 * US,
            [("compute", 100 * US), ("free", 140 * MS), ("compute", 60 * US)],
        )
    with TraceWriter(path) as trace:
        record(trace, [gil], {101: "nogil-1", 102: "nogil-2"}, end=152 * MS)
    return path


def processes(path: Path, number: int = 3, threads: int = 2) -> Path:
    """A parent and its children, each with a GIL of its own."""
    with TraceWriter(path) as trace:
        parent = Gil().thread(100, 0, main_steps(118 * MS))
        record(trace, [parent], {}, end=120 * MS, argv=["processes.py"])
        for p in range(1, number):
            pid, begin = 100 + 100 * p, (4 + 2 * (p % 5)) * MS
            gil = Gil().thread(pid, begin, [("compute", (100 - p) * MS // threads), ("free", 10**12)])
            for t in range(1, threads):
                gil.thread(pid + t, begin + MS, [("compute", 45 * MS)])
            names = {pid + t: f"worker-{t}" for t in range(1, threads)}
            record(trace, [gil], names, pid=pid, ppid=100, begin=begin, end=begin + 102 * MS, killed=p == 1)
    return path


def many_threads(path: Path, number: int, end: int = 900 * MS) -> Path:
    """Threads of different appetite."""
    gil = Gil().thread(100, 0, main_steps(end))
    random = np.random.default_rng(number)
    for i in range(1, number):
        burst = int(random.integers(20, 3000)) * US
        rest = int(random.integers(1, 40)) * MS
        steps = [step for _ in range(25) for step in (("compute", burst), ("free", rest))]
        gil.thread(100 + i, i * end // (3 * number), steps)
    names = {100 + i: f"ThreadPoolExecutor-0_{i - 1}" for i in range(1, number)}
    with TraceWriter(path) as trace:
        record(trace, [gil], names, end=end)
    return path


def subinterpreters(path: Path) -> Path:
    """Three GILs in one process; the workers of two interpreters compute at the same time."""
    first = Gil(0).thread(100, 0, main_steps(95 * MS)).thread(101, MS, [("compute", 30 * MS)])
    second = Gil(1).thread(102, 2 * MS, [("compute", 80 * MS)]).thread(103, 30 * MS, [("compute", 20 * MS)])
    third = Gil(2).thread(104, 5 * MS, [("compute", 70 * MS), ("free", 4 * MS), ("compute", 9 * MS)])
    names = {101: "helper", 102: "interp-1", 103: "interp-1 helper", 104: "interp-2"}
    with TraceWriter(path) as trace:
        record(trace, [first, second, third], names, end=97 * MS, python_version="3.13.1")
    return path


def dense(path: Path, intervals: int, threads: int = 4) -> Path:
    """Threads that take the GIL in turn, each for a moment: `intervals` intervals in all, shares drifting."""
    turns = intervals // (3 * threads)
    random = np.random.default_rng(7)
    step = 2000  # ns: one hold and the handoff after it
    order = np.tile(np.arange(threads), turns)
    drift = 0.5 + 0.4 * np.sin(np.linspace(0, 9, len(order)) + order)
    hold = (step * drift * random.uniform(0.6, 1.0, len(order))).astype(np.int64)
    acquired = 10_000 + step * np.arange(len(order), dtype=np.int64)
    released = acquired + hold
    end = int(released[-1]) + 10_000
    with TraceWriter(path) as trace:
        process = trace.process(100, begin=0)
        for thread in range(threads):
            mine = order == thread
            took, gave = acquired[mine], released[mine]
            asked = np.concatenate(
                [[took[0] - 5000], gave[:-1] + np.minimum(300, (took[1:] - gave[:-1]) // 2)]
            )
            times = np.stack([asked, took, gave], axis=1).ravel()
            kinds = np.tile([Event.GIL_WAIT, Event.GIL_ACQUIRED, Event.GIL_RELEASED], len(took))
            process.columns(100 + thread, times, kinds)
            process.name(100 + thread, 0, "MainThread" if thread == 0 else f"worker-{thread}")
        process.stop(100, end)
    return path


def single_event(path: Path) -> Path:
    """A recording that was killed at once."""
    with TraceWriter(path) as trace:
        trace.process(100, begin=5).events([(100, 5, "recording_start")]).name(100, 5, "MainThread")
    return path


def odd_names(path: Path) -> Path:
    """Names that are long, hold markup, line ends, or characters that the font does not have."""
    gil = Gil().thread(100, 0, main_steps(50 * MS))
    names = {
        101: "worker-" + "x" * 200 + "-17",
        102: "$\\alpha_1$ $",
        103: "two\nlines\t\x1b[31m",
        104: "工作线程 🦊",
    }
    for tid in names:
        gil.thread(tid, MS, [("compute", 10 * MS)])
    with TraceWriter(path) as trace:
        record(trace, [gil], names, end=52 * MS)
    return path

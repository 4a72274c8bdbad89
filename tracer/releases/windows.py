"""What a statement's thread did in each run: how long it held the GIL, in one piece, without it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

import analysis
from analysis.arrays import Bools, Int64s, Table
from analysis.model import HELD, WITHOUT, State
from analysis.tables.trace import Trace
from tracer.releases.locked import Locked, locked
from tracer.releases.ready import Others, Spans, both, of_thread, others, spans

_SLICE: Final = 10_000_000
"""ns: for so long a CPU is taken away at a time, where it is not recorded for how long."""


@dataclass(frozen=True)
class Run:
    """One run of a statement: `number` calls. Times are ns, of the whole run.

    Time in which the thread was ready but had no CPU is in `ready` alone, where the scheduler was recorded:
    a busy machine lengthens the wall time, and nothing else.

    Attributes
    ----------
    kind : str
        "first", "alone"; "kept": with memory that was used before, where it touches much; "asked": another
        thread wanted the GIL all the time; on builds without a GIL "single" and "together": with another
        thread that ran the same on data of its own.
    held, waited, without : int
        With the GIL, waiting for it, neither; with `ready` they sum to `wall`, but for what was not seen.
    longest : int
        The longest hold in one piece.
    overdue : int
        The longest time that it kept the GIL after another thread asked for it.
    released : int
        How often it let go.
    native, asleep : int
        What `without` was spent on.
    elsewhere : int
        CPU time that other threads of the process used meanwhile.
    function : tuple of str
        File and name of the Python function that kept it `overdue`; empty: nobody asked.
    pages : int
        Pages of memory that it touched for the first time.
    delayed, held_delayed : int
        So much of `without`, and of `held`, at most is the machine's doing: others had the CPU that threads
        of its own process wanted, or that it wanted itself when it was woken.
    unplaced : int
        Time without a CPU, of `held` and `without`, of which nobody knows which: it was not recorded.
    locks : tuple of Locked
        Without a GIL, of "together": the locks that the two threads waited for.
    """

    kind: str
    number: int
    wall: int
    held: int
    waited: int
    without: int
    ready: int
    longest: int
    overdue: int
    released: int
    native: int
    asleep: int
    elsewhere: int
    function: tuple[str, ...] = ()
    pages: int = 0
    delayed: int = 0
    held_delayed: int = 0
    unplaced: int = 0
    locks: tuple[Locked, ...] = ()

    @property
    def own(self) -> int:
        """Its time without what it waited for others: for the GIL, and for a CPU."""
        return self.held + self.without

    @property
    def share(self) -> float:
        """Share of its own time that it held the GIL."""
        return self.held / self.own if self.own else 0.0

    @property
    def bounds(self) -> tuple[float, float]:
        """What its share may have been at least and at most, had it had the machine for itself."""
        fewer = min(self.held_delayed + self.unplaced, self.held)
        least = (self.held - fewer) / max(self.own - fewer, 1)
        most = self.held / max(self.own - min(self.delayed + self.unplaced, self.without), 1)
        return min(least, self.share), max(min(most, 1.0), self.share)


@dataclass(frozen=True)
class Measured:
    """All runs of a call. `gil`: there was one when they ended."""

    name: str
    runs: tuple[Run, ...]
    gil: bool

    def of(self, kind: str) -> tuple[Run, ...]:
        """Return the runs of a kind."""
        return tuple(run for run in self.runs if run.kind == kind)


def measured(path: Path | None, calls: Iterable[Mapping[str, Any]]) -> Iterator[Measured]:
    """Yield what calls did, by the trace of their process; None: it has no GIL."""
    trace = None if path is None else analysis.load(path)
    for call in calls:
        seen = None if trace is None else _seen(trace, call)
        runs = tuple(_run(seen, call, run) for run in call["runs"])
        yield Measured(call["name"], runs, bool(call["gil"]))


@dataclass(frozen=True)
class _Seen:
    """What a trace has of a statement's thread: a thread that has ended, so it takes part in no wait.

    `beside`: it had a CPU while threads beside it were kept off theirs.
    """

    trace: Trace
    thread: int
    intervals: Table
    on: Spans
    ready: Spans
    asleep: Spans
    beside: Spans
    others: Others

    @property
    def scheduled(self) -> bool:
        """Whether it is known when the thread had a CPU."""
        return bool(len(self.on.begin))


def _seen(trace: Trace, call: Mapping[str, Any]) -> _Seen | None:
    tid, time = call["tid"], call["runs"][0][1]
    for thread in trace.threads:
        if thread.tid == tid and thread.begin <= time <= thread.end:
            index = thread.index
            found = others(trace, trace.processes[thread.process].pid, tid, call["cpus"])
            first, last = np.searchsorted(trace.gil_intervals["thread"], [index, index + 1]).tolist()
            mine = trace.gil_intervals[first:last]
            on, ready, asleep = of_thread(trace, index)
            return _Seen(trace, index, mine, on, ready, asleep, both(on, found.kept_off), found)
    return None


def _run(seen: _Seen | None, call: Mapping[str, Any], run: list[Any]) -> Run:
    kind, begin, end, thread_cpu, process_cpu, pages, taken = run
    number = 1 if kind == "first" else call["number"]
    wall, elsewhere = end - begin, max(process_cpu - thread_cpu, 0)
    if seen is None or not call["gil"]:
        alone = Run(kind, number, wall, 0, 0, wall, 0, 0, 0, 0, 0, 0, elsewhere, pages=pages)
        return _without_gil(seen, call, alone, begin, thread_cpu)
    intervals = _in_window(seen.intervals, begin, end, seen.ready)
    held, waited, without = map(intervals.total, (HELD, (State.WAITING,), WITHOUT))
    holds = intervals.among(HELD)
    overdue, function = _overdue(seen, begin, end) if kind == "asked" else (0, ())
    native = min(max(thread_cpu - held, 0), without)
    ready = seen.ready.within(begin, end)
    if seen.scheduled:
        unplaced = 0
        delayed = min(_delayed(seen, intervals.spans(WITHOUT), begin, end), without)
        held_delayed = min(_delayed(seen, intervals.spans(HELD), begin, end), held)
    else:
        unplaced, delayed, held_delayed = min(max(held + without - thread_cpu, 0), taken * _SLICE), 0, 0
    return Run(
        kind=kind,
        number=number,
        wall=wall,
        held=held,
        waited=waited,
        without=without,
        ready=ready,
        longest=int(intervals.own[holds].max(initial=0)),
        overdue=overdue,
        released=int(np.count_nonzero(holds & (intervals.end < end))),
        native=native,
        asleep=without - native,
        elsewhere=elsewhere,
        function=function,
        pages=pages,
        delayed=delayed,
        held_delayed=held_delayed,
        unplaced=unplaced,
    )


def _without_gil(seen: _Seen | None, call: Mapping[str, Any], run: Run, begin: int, thread_cpu: int) -> Run:
    """Return what a run did without a GIL: what its locks were, where they are recorded."""
    ready = seen.ready.within(begin, begin + run.wall) if seen else 0
    own = run.wall - ready
    native = min(thread_cpu, own)
    run = replace(run, without=own, ready=ready, native=native, asleep=own - native)
    if seen is None or run.kind != "together":
        return run
    other = next((each.index for each in seen.trace.threads if each.tid == call.get("other_tid")), -1)
    return replace(run, locks=locked(seen.trace, (seen.thread, other), begin, begin + run.wall))


def _delayed(seen: _Seen, where: Spans, begin: int, end: int) -> int:
    """Return how long others on the machine kept it from going on there, at most.

    While threads of its own process were kept off the CPUs it may have waited for them, asleep or spinning.
    Each of its sleeps may have ended late besides: the one that ended it, and it after that, may have been
    woken before they got a CPU, by what any of them is seen to have waited at most. Yet what they computed
    while it slept takes its time also on a machine of their own.
    """
    kept_off = seen.others.kept_off
    slept = both(seen.asleep, where)
    longest = kept_off.longest(begin, end)
    late = kept_off.common(slept) + slept.total_of(2 * longest)
    late = min(late, int(slept.total[-1]) - seen.others.least(slept))
    return late + seen.beside.common(where)


@dataclass(frozen=True)
class _Window:
    begin: Int64s
    end: Int64s
    own: Int64s
    state: Int64s

    def among(self, states: Iterable[State]) -> Bools:
        found: Bools = np.isin(self.state, [int(state) for state in states])
        return found

    def spans(self, states: Iterable[State]) -> Spans:
        there = self.among(states)
        return spans(self.begin[there], self.end[there])

    def total(self, states: Iterable[State]) -> int:
        return int(self.own[self.among(states)].sum())


def _in_window(mine: Table, begin: int, end: int, ready: Spans) -> _Window:
    """Return the intervals of a thread, in order, cut to a window, by their own time."""
    ends = mine["start"] + mine["duration"]
    mine = mine[np.searchsorted(ends, begin, "right") : np.searchsorted(mine["start"], end)]
    start = np.maximum(mine["start"], begin)
    ends = np.minimum(mine["start"] + mine["duration"], end)
    own = ends - start - (ready.before(ends) - ready.before(start))
    return _Window(start, ends, own, mine["state"].astype(np.int64))


def _overdue(seen: _Seen, begin: int, end: int) -> tuple[int, tuple[str, ...]]:
    """Return how long it kept the GIL at most after it was asked for it, and in which function."""
    worst: tuple[int, tuple[str, ...]] = (0, ())
    for gil in seen.trace.gils:
        holds, asked = seen.trace.holds(gil), seen.trace.first_requests(gil)
        mine = (
            (holds.thread == seen.thread)
            & (asked >= begin)
            & (asked < holds.released)
            & (holds.released <= end)
        )
        at = np.flatnonzero(mine)
        if not len(at):
            continue
        since, until = asked[at], holds.released[at]
        overdue = until - since - (seen.ready.before(until) - seen.ready.before(since))
        longest = int(np.argmax(overdue))
        if overdue[longest] > worst[0]:
            frame = int(seen.trace.release_frames(gil)[at[longest]])
            code = seen.trace.codes[seen.trace.frames["code"][frame]] if frame >= 0 else None
            worst = (int(overdue[longest]), () if code is None else (code.file, code.name))
    return worst

"""What the last moment of a recording amounts to: the same tables, made of its newest packets alone."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..dtypes import Outcome
from ..measures.statistics import statistics
from ..model import HELD, State, Thread, total
from ..tables.columns import Source
from ..tables.load import load
from ..tables.trace import Trace
from ..why.blame_by_thread import NOBODY, blame
from ..why.code.charges import code_blame
from ..why.code.words import function, place

_MOST = 50
"""Pairs and lines that are kept: more fit no screen."""


@dataclass(frozen=True)
class ThreadSecond:
    """One thread: ns in each state, how often it had to wait, and for how long at most within the window."""

    name: str
    pid: int
    tid: int
    time: Mapping[State, int]
    waits: int
    longest_wait: int

    @property
    def held(self) -> int:
        """ns with the GIL."""
        return total(self.time, HELD)


@dataclass(frozen=True)
class LongestWait:
    """The longest wait that went on in the window, as long as it is by now, and whom it was mostly for."""

    thread: str
    duration: int
    holder: str


@dataclass(frozen=True)
class Second:
    """A window of a recording.

    Attributes
    ----------
    begin, end : int
        ns of CLOCK_MONOTONIC.
    threads : sequence of ThreadSecond
    processes : int
    pairs : sequence of (str, str, int)
        Who waited for whom, ns, the most first.
    lines : sequence of (str, int)
        Code that held the GIL while others waited, and the ns that they waited.
    longest : LongestWait or None
    waits : tuple of int
        Lengths of the waits that ended in the window, from their true beginning, ns.
    longest_hold : int
        ns, of those that were there in the window, the part within.
    lost : int
        Events that the recorder lost so far.
    """

    begin: int
    end: int
    threads: Sequence[ThreadSecond]
    processes: int
    pairs: Sequence[tuple[str, str, int]]
    lines: Sequence[tuple[str, int]]
    longest: LongestWait | None
    waits: tuple[int, ...]
    longest_hold: int
    lost: int

    @property
    def waited(self) -> int:
        """ns that all threads together waited."""
        return sum(thread.time[State.WAITING] for thread in self.threads)

    @property
    def held(self) -> int:
        """ns that GILs were held."""
        return sum(thread.held for thread in self.threads)


def now() -> int:
    """Return the trace's time, ns."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def look(path: Path, begin: int, end: int) -> Second | None:
    """Return what happened in [begin, end) of a recording; None: nothing that is known.

    Raises
    ------
    TraceFormatError
        There is no trace at `path`.
    """
    around = load(path, salvage=True, within=(begin, end), native=False)
    # Its last event may be a while ago: until now everything has stayed as it was.
    around = lasting(around, end)
    if around.end <= begin or around.begin >= end:
        return None
    trace = around.between(begin, end)
    threads, longest_hold = _threads(trace)
    return Second(
        begin,
        end,
        threads,
        len({thread.process for thread in trace.threads}),
        _pairs(trace),
        _lines(trace),
        _longest(around, begin, end),
        _ended(around, begin, end),
        longest_hold,
        sum(process.discarded for process in trace.processes),
    )


def _threads(trace: Trace) -> tuple[list[ThreadSecond], int]:
    """Return what each thread did, and the longest hold: from the one pass where there is one."""
    rows: list[tuple[Mapping[State, int], int, int, int]] = []
    folded = trace.folded
    if folded is None:
        rows += [
            (of.time, of.wait.count, int(of.wait.max), int(of.hold.max)) for of in statistics(trace).threads
        ]
    else:
        for thread in trace.threads:
            items = folded.of_thread(thread.index)
            time_ = dict(zip(State, folded.times[thread.index].tolist(), strict=True))
            waits = sum(item.waits.count for item in items)
            longest = max((item.waits.most for item in items), default=0)
            rows.append((time_, waits, longest, max((item.holds.most for item in items), default=0)))
    pids = [process.pid for process in trace.processes]
    threads = [
        ThreadSecond(thread.name, pids[thread.process], thread.tid, *row[:3])
        for thread, row in zip(trace.threads, rows, strict=True)
    ]
    return threads, max((row[3] for row in rows), default=0)


def lasting(trace: Trace, end: int) -> Trace:
    """Return the trace with lives that go on to `end`, but for threads that have exited."""
    columns = trace.columns
    ended = np.array([trace.processes[thread.process].ended == "stopped" for thread in trace.threads], bool)
    ends = np.where(columns.exited | ended, columns.end, np.maximum(columns.end, end))
    threads = [replace(thread, end=int(ends[thread.index])) for thread in trace.threads]
    processes = [
        process if process.ended == "stopped" else replace(process, end=max(process.end, end))
        for process in trace.processes
    ]
    return replace(
        trace,
        threads=tuple(threads),
        processes=tuple(processes),
        end=max(trace.end, end),
        source=Source(replace(columns, end=ends)),
    )


def _pairs(trace: Trace) -> list[tuple[str, str, int]]:
    table = blame(trace).table
    table = table[table["holder"] != NOBODY]
    table = table[np.argsort(-table["time"], kind="stable")][:_MOST]
    name = [thread.name for thread in trace.threads]
    return [(name[row["blocked"]], name[row["holder"]], int(row["time"])) for row in table]


def _lines(trace: Trace) -> list[tuple[str, int]]:
    lines = code_blame(trace).lines
    found: dict[str, int] = {}
    for row in lines[lines["code"] >= 0][:_MOST]:
        code = trace.codes[row["code"]]
        line = f"{function(code)}, {place(code, int(row['line']))}"
        found[line] = found.get(line, 0) + int(row["waited"])
    return sorted(found.items(), key=lambda item: -item[1])


def _longest(trace: Trace, begin: int, end: int) -> LongestWait | None:
    waits = trace.waits
    open_ = waits["outcome"] == Outcome.UNFINISHED
    until = np.where(open_, end, waits["start"] + waits["duration"])
    inside = np.flatnonzero((until > begin) & (waits["start"] < end))
    if not len(inside):
        return None
    at = int(inside[np.argmax(until[inside] - waits["start"][inside])])
    wait = waits[at]
    return LongestWait(
        trace.threads[wait["thread"]].name,
        int(until[at] - wait["start"]),
        _holder(trace, int(wait["gil"]), int(wait["start"]), int(until[at])),
    )


def _holder(trace: Trace, gil: int, since: int, until: int) -> str:
    """Return who held a GIL for most of a time."""
    holds = trace.holds(trace.gils[gil])
    first, last = (
        np.searchsorted(holds.released, since, "right"),
        np.searchsorted(holds.acquired, until, "left"),
    )
    mine = slice(int(first), int(last))
    if mine.start >= mine.stop:
        return ""
    time_ = np.minimum(holds.released[mine], until) - np.maximum(holds.acquired[mine], since)
    most: Thread = trace.threads[int(np.argmax(np.bincount(holds.thread[mine], np.maximum(time_, 0))))]
    return most.name


def _ended(trace: Trace, begin: int, end: int) -> tuple[int, ...]:
    waits = trace.waits
    until = waits["start"] + waits["duration"]
    mine = (waits["outcome"] == Outcome.ACQUIRED) & (until >= begin) & (until < end)
    return tuple(waits["duration"][mine].tolist())

"""The critical path: what a thread's end waited for, back to its beginning.

It is walked from the end. What a thread did since its last wait is on the path; before that it waited, and
the path goes on with the thread that let it go, at the moment when it did. Time between that moment and the
end of the wait is on the path as its way to the next one. A wait that nobody is known to have ended (a
timeout, what was let go before the wait began) is a part of what its thread did. Before a thread's beginning
the path goes on with who had the GIL then, or else with its process's main thread.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ...arrays import Int64s, Table
from ...dtypes import Outcome
from ...measures.lock_names import place_of
from ...model import Gil, State
from ...tables.trace import Trace
from ..code.charges import overlap
from .wait_for import Sort, name_of

STEP: Final = np.dtype(
    [
        ("start", "<i8"),
        ("duration", "<i8"),
        ("thread", "<i4"),
        ("handoff", "?"),  # its way to this thread, which waits; else what this thread did
        ("sort", "u1"),  # of a handoff: wait_for.Sort
        ("about", "<i4"),  # of a handoff: index in Trace.gils or Trace.locks
        (
            "frame",
            "<i4",
        ),  # of a handoff: where it waits; else where the next one was let go; -1: not known
    ],
    align=True,
)
"""The path, in order of time; steps tile it."""

_EDGE: Final = np.dtype(
    [
        ("end", "<i8"),
        ("start", "<i8"),
        ("thread", "<i4"),
        ("by", "<i4"),  # who let it go
        ("at", "<i8"),  # when
        ("sort", "u1"),
        ("about", "<i4"),
        ("frame", "<i4"),
        ("by_frame", "<i4"),
    ],
    align=True,
)


@dataclass(frozen=True)
class PathLine:
    """What is on the path for one thread and one line: where it let the next one go; "": not known."""

    thread: int
    where: str
    time: int
    states: dict[State, int]
    steps: int


@dataclass(frozen=True)
class PathHandoff:
    """Handoffs on the path of one thing, to those that waited in one line."""

    what: str
    where: str
    time: int
    count: int


@dataclass(frozen=True, eq=False)
class CriticalPath:
    """The path to the end of a thread.

    Attributes
    ----------
    thread : int
    begin, end : int
        ns of CLOCK_MONOTONIC; `lines` and `handoffs` sum up to end - begin.
    steps : STEP table
    lines : tuple of PathLine
        What the threads on it did, most first.
    handoffs : tuple of PathHandoff
    """

    thread: int
    begin: int
    end: int
    steps: Table = field(repr=False)
    lines: tuple[PathLine, ...]
    handoffs: tuple[PathHandoff, ...]


def last_thread(trace: Trace) -> int:
    """Return the thread whose end is the program's: the main one, or that which ends last."""
    main = [thread for thread in trace.threads if thread.main]
    return (main[0] if main else max(trace.threads, key=lambda thread: thread.end)).index


def critical_path(trace: Trace, thread: int | None = None) -> CriticalPath:
    """Return the path to the end of a thread; by default of `last_thread`."""
    thread = last_thread(trace) if thread is None else thread
    steps = _walk(trace, _edges(trace), thread)
    return CriticalPath(
        thread,
        int(steps["start"][0]) if len(steps) else trace.threads[thread].end,
        trace.threads[thread].end,
        steps,
        _lines(trace, steps[~steps["handoff"]]),
        _handoffs(trace, steps[steps["handoff"]]),
    )


def _edges(trace: Trace) -> Table:
    """Return the waits that another thread ended, sorted by (thread, end)."""
    waits, wakes = trace.lock_waits, trace.lock_wakes
    ended = waits[(waits["wake"] >= 0) & (waits["waker"] != waits["thread"])]
    locks = np.zeros(len(ended), _EDGE)
    locks["end"], locks["start"] = ended["start"] + ended["duration"], ended["start"]
    locks["thread"], locks["by"], locks["by_frame"] = ended["thread"], ended["waker"], ended["waker_frame"]
    locks["at"] = wakes["time"][ended["wake"]]
    locks["sort"] = np.where(ended["stopped"], Sort.STOP, Sort.LOCK)
    locks["about"], locks["frame"] = ended["lock"], ended["frame"]
    edges = np.concatenate([*(_edges_of_gil(trace, gil) for gil in trace.gils), locks])
    edges = edges[edges["at"] > edges["start"]]
    return edges[np.lexsort((edges["end"], edges["thread"]))]


def _edges_of_gil(trace: Trace, gil: Gil) -> Table:
    mine = trace.waits_for(gil)
    waits, frames = trace.waits[mine], trace.wait_frames[mine]
    holds, release = trace.holds(gil), trace.hold_frames(gil)
    end = waits["start"] + waits["duration"]
    got = np.searchsorted(holds.acquired, end, "right") - 1
    before = np.maximum(got - 1, 0)
    fits = (waits["outcome"] == Outcome.ACQUIRED) & (got >= 1)
    if len(holds.thread):
        fits &= (holds.thread[before] != waits["thread"]) & (
            holds.thread[np.maximum(got, 0)] == waits["thread"]
        )
    rows, before = waits[fits], before[fits]
    edges = np.zeros(len(rows), _EDGE)
    edges["end"], edges["start"], edges["thread"] = end[fits], rows["start"], rows["thread"]
    if len(rows):
        edges["by"], edges["at"] = holds.thread[before], holds.released[before]
        edges["by_frame"] = release[before]
    edges["about"], edges["frame"] = gil.index, frames[fits]
    return edges


def _walk(trace: Trace, edges: Table, thread: int) -> Table:
    first = np.searchsorted(edges["thread"], np.arange(len(trace.threads) + 1)).tolist()
    end, by, at = (edges[name].tolist() for name in ("end", "by", "at"))
    sort, about, frame, by_frame = (edges[name].tolist() for name in ("sort", "about", "frame", "by_frame"))
    ends = edges["end"]
    begins = [each.begin for each in trace.threads]
    steps: list[tuple[int, int, int, bool, int, int, int]] = []
    now, let_go = trace.threads[thread].end, -1
    while True:
        low, high = first[thread], first[thread + 1]
        row = low + int(np.searchsorted(ends[low:high], now, "right")) - 1
        since = end[row] if row >= low else begins[thread]
        if now > since:
            steps.append((since, now - since, thread, False, 0, -1, let_go))
        if row >= low:
            moved = min(at[row], since, now - 1)
            if since > moved:
                steps.append((moved, since - moved, thread, True, sort[row], about[row], frame[row]))
            thread, now, let_go = by[row], moved, by_frame[row]
            continue
        now, let_go = min(since, now), -1
        starter = _starter(trace, thread, now)
        if starter < 0 or begins[starter] >= now:
            break
        thread = starter
    return np.array(steps[::-1], STEP)


def starter_of(trace: Trace, thread: int) -> int:
    """Return who is taken to have started a thread; -1: nobody in the trace."""
    return _starter(trace, thread, trace.threads[thread].begin)


def _starter(trace: Trace, thread: int, time: int) -> int:
    process = trace.threads[thread].process
    if trace.threads[thread].main or time <= trace.processes[process].begin:
        return -1
    for gil in trace.gils:
        if gil.process == process:
            holds = trace.holds(gil)
            row = int(np.searchsorted(holds.acquired, time, "left")) - 1
            if row >= 0 and holds.released[row] >= time and holds.thread[row] != thread:
                return int(holds.thread[row])
    main = [each.index for each in trace.threads if each.process == process and each.main]
    return main[0] if main and main[0] != thread else -1


def _lines(trace: Trace, steps: Table) -> tuple[PathLine, ...]:
    pairs = np.stack([steps["thread"], steps["frame"]]).astype(np.int64)
    each, of = np.unique(pairs, axis=1, return_inverse=True)
    groups: dict[tuple[int, str], list[int]] = {}
    for number, (thread, frame) in enumerate(each.T.tolist()):
        groups.setdefault((thread, place_of(trace, frame)), []).append(number)
    of = of.reshape(-1)
    lines = []
    for (thread, where), numbers in groups.items():
        mine = steps[np.isin(of, numbers)]
        begin = mine["start"]
        states = _states(trace, thread, begin, begin + mine["duration"])
        lines.append(PathLine(thread, where, int(mine["duration"].sum()), states, len(mine)))
    return tuple(sorted(lines, key=lambda line: -line.time))


def _states(trace: Trace, thread: int, begin: Int64s, end: Int64s) -> dict[State, int]:
    """Return how long a thread was in which state within some stretches, ns."""
    states = trace.states_by_column
    mine = slice(int(states.first[thread]), int(states.first[thread + 1]))
    start, stop = states.start[mine], states.start[mine] + states.duration[mine]
    state = states.state[mine]
    times = {
        each: int(overlap(start[state == each], stop[state == each], begin, end).sum())
        for each in State
        if (state == each).any()
    }
    return {each: time for each, time in times.items() if time}


def _handoffs(trace: Trace, steps: Table) -> tuple[PathHandoff, ...]:
    groups: dict[tuple[str, str], list[int]] = {}
    for row in steps:
        key = name_of(trace, int(row["sort"]), int(row["about"])), place_of(trace, int(row["frame"]))
        groups.setdefault(key, []).append(int(row["duration"]))
    found = (PathHandoff(*key, sum(times), len(times)) for key, times in groups.items())
    return tuple(sorted(found, key=lambda handoff: -handoff.count))

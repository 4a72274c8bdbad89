"""What a picture shows of a trace, from its streams: no table is made of what threads did.

The sums are those that `plots.timeline.coverage` makes of tables, to the nanosecond.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ..arrays import Bytes, Int32s, Int64s
from ..parallel import together
from ..states import State
from .coverage import Covered
from .feed import Recorded, _locks, _threads_of, _touching, _unknown_until

_NONE = np.zeros(0, np.int64)


@dataclass
class Coverage:
    """What is in a picture; times in ns.

    Attributes
    ----------
    times : ndarray of int64, shape (threads, states)
    intervals, holds : ndarray of int64, shape (threads,)
        How many intervals about a GIL touch the picture, and how many of them are holds.
    opening : ndarray of int64, shape (threads, 3)
        State, begin and end of the first of them, which may begin before the picture.
    held, about : dict
        For threads of processes with several GILs: how long it held each of these, and how many intervals are
        about it.
    cells, held_cells : dict
        For each thread with a row of its own how long it was in each state, shape (states, columns), and held
        each of several GILs, shape (GILs, columns), in each column.
    rest, rest_held : dict
        The same, for each process, of all others of its threads together.
    """

    times: Int64s
    intervals: Int64s
    holds: Int64s
    opening: Int64s
    held: dict[int, Int64s] = field(default_factory=dict)
    about: dict[int, Int64s] = field(default_factory=dict)
    cells: dict[int, Int64s] = field(default_factory=dict)
    held_cells: dict[int, Int64s] = field(default_factory=dict)
    rest: dict[int, Int64s] = field(default_factory=dict)
    rest_held: dict[int, Int64s] = field(default_factory=dict)


@dataclass(frozen=True)
class _Part:
    """Threads of one process, in one stream or in none, and what is found of them."""

    process: int
    threads: list[int]
    rows: list[int]
    covered: Covered
    cover: Callable[[], bool]


def can_be_covered(trace: Recorded) -> bool:
    """Return whether a trace's streams lie where they can be read again."""
    return trace.source.given is None and bool(trace.source.streams)


def cover(
    trace: Recorded,
    begin: int,
    end: int,
    *,
    cpus: bool,
    edges: Int64s = _NONE,
    shown: Collection[int] = (),
) -> Coverage | None:
    """Return what is in a picture from `begin` to `end`; None: events are about a GIL that is none.

    Parameters
    ----------
    cpus : bool
        In all states that are known; else those about the GIL alone.
    edges : ndarray of int64, shape (columns + 1,), ns
        From `begin` to `end`, ascending; without them there are only sums.
    shown : collection of int
        The threads that have a row of their own.
    """
    parts = _parts(trace, begin, end, cpus, edges, set(shown))
    events = sum(stream.scanned.events for stream in trace.source.streams)
    if not all(together([part.cover for part in parts], events=events)):
        return None
    count = len(trace.threads)
    found = Coverage(
        np.zeros((count, len(State)), np.int64),
        np.zeros(count, np.int64),
        np.zeros(count, np.int64),
        np.zeros((count, 3), np.int64),
    )
    for part in parts:
        _gather(found, part, len(edges) > 0)
    return found


def _gather(found: Coverage, part: _Part, with_cells: bool) -> None:
    covered = part.covered
    found.times[part.threads] = covered.times
    found.intervals[part.threads], found.holds[part.threads] = covered.counts[:, 0], covered.counts[:, 1]
    found.opening[part.threads] = covered.counts[:, 2:]
    several = covered.held.shape[1] > 0
    for at, thread in enumerate(part.threads):
        if several:
            found.held[thread], found.about[thread] = covered.held[at], covered.about[at]
        row = part.rows[at]
        if with_cells and row + 1 < len(covered.cells):
            found.cells[thread], found.held_cells[thread] = covered.cells[row], covered.held_cells[row]
    if with_cells:
        for sums, cells in ((found.rest, covered.cells), (found.rest_held, covered.held_cells)):
            before = sums.get(part.process)
            sums[part.process] = cells[-1] if before is None else before + cells[-1]


def _parts(trace: Recorded, begin: int, end: int, cpus: bool, edges: Int64s, shown: set[int]) -> list[_Part]:
    stretches = trace.stretches if cpus else None
    when: tuple[Int64s, Int64s, Bytes] = (_NONE, _NONE, np.zeros(0, np.uint8))
    if stretches is not None:
        when = stretches.start, stretches.duration, stretches.state
    until = _unknown_until(trace.source)
    locks = _locks(trace) if cpus else [_NONE] * len(trace.threads)
    gils = [[gil.number for gil in trace.gils if gil.process == each.index] for each in trace.processes]

    def part(threads: list[int], lives: Int64s, data: Bytes, packets: int, last: int) -> _Part:
        process = trace.threads[threads[0]].process
        mine = [thread for thread in threads if thread in shown]
        rows = [mine.index(thread) if thread in shown else len(mine) for thread in threads]
        lanes = np.array(
            [
                (
                    trace.threads[thread].begin,
                    trace.threads[thread].end,
                    until[thread] >= 0,
                    *(_touching(trace, trace.threads[thread])[:2] if cpus else (0, 0)),
                    row,
                )
                for thread, row in zip(threads, rows, strict=True)
            ],
            np.int64,
        )
        several = len(gils[process]) if len(gils[process]) > 1 else 0
        covered = Covered(begin, end, edges, *when)
        task = partial(
            covered.cover,
            data,
            packets,
            last,
            lives,
            lanes,
            [locks[thread] for thread in threads],
            _places(gils[process]),
            several,
            len(mine) + 1,
        )
        return _Part(process, threads, rows, covered, task)

    thread_of = _threads_of(trace.source)
    found, seen = [], set()
    for stream in trace.source.streams:
        scanned = stream.scanned
        threads = [thread_of[stream.first + at] for at in scanned.lives[:, 0].tolist()]
        counts = scanned.lives[:, 3] - scanned.lives[:, 0]
        seen.update(threads)
        found.append(part(threads, counts.copy(), stream.data, scanned.packets, scanned.records))
    nothing = np.zeros(1, np.uint8)
    for process in trace.processes:
        others = [t.index for t in trace.threads if t.process == process.index and t.index not in seen]
        if others:
            found.append(part(others, np.zeros(len(others), np.int64), nothing, 0, 0))
    return found


def _places(numbers: list[int]) -> Int32s:
    """Return the places of GILs among those of their process, by their numbers."""
    places = np.full(max(numbers, default=-1) + 1, -1, np.int32)
    for place, number in enumerate(numbers):
        places[number] = place
    return places

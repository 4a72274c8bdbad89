"""What a picture shows of a trace, from its streams: no table is made of what threads did.

The sums are those that `plots.timeline.coverage` makes of tables, to the nanosecond.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from ..arrays import Int64s
from ..parallel import together
from ..states import State
from .coverage import Covered
from .feed import Recorded
from .lanes import Part, on_cpus, parts_of

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
class _Task:
    """A part that is looked through; `rows` has the row of each thread: without one of its own the last."""

    part: Part
    rows: list[int]
    own: int
    covered: Covered

    @classmethod
    def of(cls, part: Part, covered: Covered, shown: set[int]) -> _Task:
        mine = [thread for thread in part.threads if thread in shown]
        return cls(
            part, [mine.index(t) if t in shown else len(mine) for t in part.threads], len(mine), covered
        )

    def __call__(self) -> bool:
        part = self.part
        return self.covered.cover(
            part.data,
            part.packets,
            part.records,
            part.lives,
            np.concatenate([part.lanes, np.array(self.rows, np.int64)[:, None]], axis=1),
            part.locks,
            part.places,
            len(part.gils) if len(part.gils) > 1 else 0,
            self.own + 1,
        )


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
    when, own = on_cpus(trace, cpus), set(shown)
    tasks = [_Task.of(part, Covered(begin, end, edges, *when), own) for part in parts_of(trace, cpus)]
    events = sum(stream.scanned.events for stream in trace.source.streams)
    if not all(together(tasks, events=events)):
        return None
    count = len(trace.threads)
    found = Coverage(
        np.zeros((count, len(State)), np.int64),
        np.zeros(count, np.int64),
        np.zeros(count, np.int64),
        np.zeros((count, 3), np.int64),
    )
    for task in tasks:
        _gather(found, task, len(edges) > 0)
    return found


def _gather(found: Coverage, task: _Task, with_cells: bool) -> None:
    part, covered = task.part, task.covered
    found.times[part.threads] = covered.times
    found.intervals[part.threads], found.holds[part.threads] = covered.counts[:, 0], covered.counts[:, 1]
    found.opening[part.threads] = covered.counts[:, 2:]
    several = covered.held.shape[1] > 0
    for at, thread in enumerate(part.threads):
        if several:
            found.held[thread], found.about[thread] = covered.held[at], covered.about[at]
        row = task.rows[at]
        if with_cells and row < task.own:
            found.cells[thread], found.held_cells[thread] = covered.cells[row], covered.held_cells[row]
    if with_cells:
        for sums, cells in ((found.rest, covered.cells), (found.rest_held, covered.held_cells)):
            before = sums.get(part.process)
            sums[part.process] = cells[-1] if before is None else before + cells[-1]

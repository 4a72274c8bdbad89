"""All intervals of a trace in a few bytes each, from its streams: what the replay makes its program from.

They are those of `tables.gil.intervals` and `tables.cpu.states`, in their order, without these tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ..arrays import Bytes, Int16s, Int64s, UInt32s
from ..parallel import together
from ..states import State
from .brief import keep_intervals
from .feed import Recorded
from .lanes import Part, on_cpus, parts_of

_Number = TypeVar("_Number", bound=np.generic)

FOUND = 128
"""In `Brief.kind`: the release that it began with found a drop request."""


@dataclass(frozen=True)
class Brief:
    """Intervals about GILs, sorted by (thread, start); a thread's tile its life.

    Attributes
    ----------
    first : ndarray of int64, shape (threads + 1,)
        Thread i has the intervals first[i] to first[i + 1].
    start : ndarray of int64, shape (intervals,), ns
    state, kind : ndarray of uint8, shape (intervals,)
        `State`; the kind of the event that it began with, of a thread's first one 0 or that, and `FOUND`.
    gil : ndarray of int16, shape (intervals,)
        Index of the GIL that the event which began it was about; -1: none.
    more : ndarray of uint32, shape (intervals,)
        Of a RELEASED one for how long the thread was NATIVE in it, ns, if that is less than 2^32; of a
        WAITING one that ended with the GIL the number of the frame then in its process.
    long_of, long_native : ndarray of int64
        RELEASED ones in which it was NATIVE for longer, in order, and for how long.
    off_of, off_state, off_begin, off_end : ndarray of int64
        STALLED, HOLDING_ASLEEP and READY stretches, in order: the interval, the state, ns.
    timed_begin, timed_end, timed_gil : ndarray of int64, of int16
        Timed waits that ran out, thread after thread.
    """

    first: Int64s
    start: Int64s
    state: Bytes
    kind: Bytes
    gil: Int16s
    more: UInt32s
    long_of: Int64s
    long_native: Int64s
    off_of: Int64s
    off_state: Int64s
    off_begin: Int64s
    off_end: Int64s
    timed_begin: Int64s
    timed_end: Int64s
    timed_gil: Int16s

    def native(self, low: int, high: int) -> Int64s:
        """Return for how long threads were NATIVE in the intervals from `low` to `high`, ns."""
        found = self.more[low:high].astype(np.int64)
        found[self.state[low:high] != State.RELEASED] = 0
        some = slice(*np.searchsorted(self.long_of, [low, high]).tolist())
        found[self.long_of[some] - low] = self.long_native[some]
        return found


_Told = tuple[int, Int64s, Int64s, int]
_Columns = tuple[Int64s, Bytes, Bytes, Int16s, UInt32s]
_Timed = tuple[Int64s, Int64s, Int16s]


def brief_intervals(trace: Recorded) -> Brief | None:
    """Return the intervals of a trace whose streams lie where they can be read; None: they make no sense."""
    parts, (begin, on_cpu) = parts_of(trace, True), on_cpus(trace, True)
    events = np.zeros(len(trace.threads), np.int64)
    for part in parts:
        events[part.threads] = part.lives
    room = np.concatenate([[0], np.cumsum(events + 1)])
    size = int(room[-1])
    columns: _Columns = (
        np.empty(size, np.int64),
        np.empty(size, np.uint8),
        np.empty(size, np.uint8),
        np.empty(size, np.int16),
        np.empty(size, np.uint32),
    )
    bounds = np.cumsum([0, *(part.timed for part in parts)]).tolist()
    waits = int(bounds[-1])
    timed: _Timed = np.empty(waits, np.int64), np.empty(waits, np.int64), np.empty(waits, np.int16)

    def keep(at: int, part: Part) -> list[_Told] | None:
        lanes = np.concatenate([part.lanes, room[part.threads][:, None]], axis=1)
        waited = slice(bounds[at], bounds[at + 1])
        return keep_intervals(
            part.data,
            part.packets,
            part.records,
            part.lives,
            lanes,
            part.locks,
            part.places,
            begin,
            on_cpu,
            *columns,
            timed[0][waited],
            timed[1][waited],
            timed[2][waited],
        )

    of_thread: dict[int, _Told] = {}
    timed_of: dict[int, slice] = {}
    tasks = [partial(keep, at, part) for at, part in enumerate(parts)]
    for at, found in enumerate(together(tasks, events=int(events.sum()))):
        if found is None:
            return None
        used = bounds[at]
        for thread, told in zip(parts[at].threads, found, strict=True):
            of_thread[thread], timed_of[thread] = told, slice(used, used + told[3])
            used += told[3]
    threads = [each.index for each in trace.threads]
    return _joined(
        trace, [of_thread[at] for at in threads], room, columns, timed, [timed_of[at] for at in threads]
    )


def _joined(
    trace: Recorded,
    told: list[_Told],
    room: Int64s,
    columns: _Columns,
    timed: _Timed,
    timed_of: list[slice],
) -> Brief:
    first = np.concatenate([[0], np.cumsum([count for count, *_ in told])]).astype(np.int64)
    for column in columns:
        for at, (count, *_) in enumerate(told):
            if first[at] != room[at]:
                column[first[at] : first[at] + count] = column[room[at] : room[at] + count]
        column.resize(int(first[-1]), refcheck=False)
    if not _tile(timed_of):
        timed = _taken(timed[0], timed_of), _taken(timed[1], timed_of), _taken(timed[2], timed_of)
    gil, bounds = columns[3], np.cumsum([0, *(part.stop - part.start for part in timed_of)]).tolist()
    gils = [[gil.index for gil in trace.gils if gil.process == each.index] for each in trace.processes]
    own = {each: np.array([*found, -1], np.int16) for each, found in enumerate(gils)}
    for thread in trace.threads:
        if gils[thread.process] != list(range(len(gils[thread.process]))):
            for mine, of in ((first, gil), (bounds, timed[2])):
                some = of[int(mine[thread.index]) : int(mine[thread.index + 1])]
                some[:] = own[thread.process][some]  # none is -1: the last
    off = _stacked([table for _, table, _, _ in told], first, 4)
    long = _stacked([table for _, _, table, _ in told], first, 2)
    return Brief(first, *columns, long[0], long[1], off[0], off[1], off[2], off[3], *timed)


def _tile(parts: list[slice]) -> bool:
    """Whether each part begins where the one before ends."""
    return all(one.stop == other.start for one, other in pairwise(parts))


def _taken(column: npt.NDArray[_Number], parts: list[slice]) -> npt.NDArray[_Number]:
    return np.concatenate([column[:0], *(column[part] for part in parts)])


def _stacked(tables: list[Int64s], first: Int64s, columns: int) -> list[Int64s]:
    """Return the columns of all threads' tables; the first one has intervals, from the thread's first."""
    none = np.zeros(0, np.int64)
    found = [np.concatenate([none, *(table[:, at] for table in tables)]) for at in range(columns)]
    found[0] += np.repeat(first[: len(tables)], [len(table) for table in tables])
    return found


def told_briefly(
    first: Int64s,
    start: Int64s,
    state: Bytes,
    kind: Bytes,
    gil: Int16s,
    pieces: tuple[Int64s, Bytes, Int64s, Int64s],
    timed: tuple[Int64s, Int64s, Int64s],
) -> Brief:
    """Return the same of tables, without frames; `pieces`: interval, state, begin and end of all states."""
    of, states, begin, end = pieces
    native = np.zeros(len(start), np.int64)
    at = np.flatnonzero(states == State.NATIVE)
    np.add.at(native, of[at], end[at] - begin[at])
    off = np.flatnonzero(np.isin(states, (State.STALLED, State.READY, State.HOLDING_ASLEEP)) & (end > begin))
    long = np.flatnonzero(native >> 32)
    return Brief(
        first,
        start,
        state,
        kind,
        gil,
        (native & 0xFFFFFFFF).astype(np.uint32),
        long,
        native[long],
        of[off],
        states[off].astype(np.int64),
        begin[off],
        end[off],
        *timed[:2],
        timed[2].astype(np.int16),
    )

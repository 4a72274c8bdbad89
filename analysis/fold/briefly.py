"""All intervals of a trace in a few bytes each, from its streams: what the replay makes its program from.

They are those of `tables.gil.intervals` and `tables.cpu.states`, in their order, without these tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from ..arrays import Bytes, Int16s, Int64s, UInt32s
from ..parallel import together
from ..states import State
from .brief import keep_intervals
from .feed import Recorded
from .lanes import Part, on_cpus, parts_of

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
    native : ndarray of int64, shape (intervals,), ns
        For how long the thread was NATIVE in it.
    off_of, off_state, off_begin, off_end : ndarray of int64
        STALLED, HOLDING_ASLEEP and READY stretches, in order: the interval, the state, ns.
    wait, frame : ndarray of int64, of uint32
        Waits that ended with the GIL, in order, and the number of the frame then in its process.
    timed_begin, timed_end, timed_gil : ndarray of int64
        Timed waits that ran out, thread after thread.
    """

    first: Int64s
    start: Int64s
    state: Bytes
    kind: Bytes
    gil: Int16s
    native: Int64s
    off_of: Int64s
    off_state: Int64s
    off_begin: Int64s
    off_end: Int64s
    wait: Int64s
    frame: UInt32s
    timed_begin: Int64s
    timed_end: Int64s
    timed_gil: Int64s


_Told = tuple[int, Int64s, Int64s, Int64s]
_Columns = tuple[Int64s, Bytes, Bytes, Int16s, Int64s]


def brief_intervals(trace: Recorded) -> Brief | None:
    """Return the intervals of a trace whose streams lie where they can be read; None: they make no sense."""
    parts, (begin, duration, on_cpu) = parts_of(trace, True), on_cpus(trace, True)
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
        np.zeros(size, np.int64),
    )

    def keep(part: Part) -> list[_Told] | None:
        lanes = np.concatenate([part.lanes, room[part.threads][:, None]], axis=1)
        return keep_intervals(
            part.data,
            part.packets,
            part.records,
            part.lives,
            lanes,
            part.locks,
            part.places,
            begin,
            duration,
            on_cpu,
            *columns,
        )

    of_thread: dict[int, _Told] = {}
    for part, found in zip(
        parts, together([partial(keep, part) for part in parts], events=int(events.sum())), strict=True
    ):
        if found is None:
            return None
        of_thread.update(zip(part.threads, found, strict=True))
    return _joined(trace, [of_thread[each.index] for each in trace.threads], room, columns)


def _joined(
    trace: Recorded,
    told: list[_Told],
    room: Int64s,
    columns: _Columns,
) -> Brief:
    first = np.concatenate([[0], np.cumsum([count for count, *_ in told])]).astype(np.int64)
    for column in columns:
        for at, (count, *_) in enumerate(told):
            if first[at] != room[at]:
                column[first[at] : first[at] + count] = column[room[at] : room[at] + count]
        column.resize(int(first[-1]), refcheck=False)
    start, state, kind, gil, native = columns
    gils = [[gil.index for gil in trace.gils if gil.process == each.index] for each in trace.processes]
    own = {each: np.array([*found, -1], np.int64) for each, found in enumerate(gils)}
    for thread in trace.threads:
        if gils[thread.process] != list(range(len(gils[thread.process]))):
            mine = slice(int(first[thread.index]), int(first[thread.index + 1]))
            gil[mine] = own[thread.process][gil[mine]]  # none is -1: the last
    off = [table + np.array([base, 0, 0, 0]) for base, (_, table, _, _) in zip(first, told, strict=False)]
    frames = [table + np.array([base, 0]) for base, (_, _, table, _) in zip(first, told, strict=False)]
    timed = [table for _, _, _, table in told]
    gil_of = [own[thread.process][table[:, 2]] for thread, table in zip(trace.threads, timed, strict=True)]
    pieces, wait = _stacked(off, 4), _stacked(frames, 2)
    ran_out = _stacked(timed, 3)
    return Brief(
        first,
        start,
        state,
        kind,
        gil,
        native,
        pieces[:, 0].copy(),
        pieces[:, 1].copy(),
        pieces[:, 2].copy(),
        pieces[:, 3].copy(),
        wait[:, 0].copy(),
        wait[:, 1].astype(np.uint32),
        ran_out[:, 0].copy(),
        ran_out[:, 1].copy(),
        np.concatenate([np.zeros(0, np.int64), *gil_of]),
    )


def _stacked(tables: list[Int64s], columns: int) -> Int64s:
    return np.concatenate([np.zeros((0, columns), np.int64), *tables])


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
    return Brief(
        first,
        start,
        state,
        kind,
        gil,
        native,
        of[off],
        states[off].astype(np.int64),
        begin[off],
        end[off],
        np.zeros(0, np.int64),
        np.zeros(0, np.uint32),
        *timed,
    )

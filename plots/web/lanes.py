"""The intervals of every lane, small: boundaries on a grid of so many ns, states and lines beside them.

Three planes, lane after lane: a byte an interval (`tags`: state, and what is said of it besides), a varint an
interval (`durations`, in grid steps), and varints for what has changed (`extras`: the line of code, what it
is about). They are cut into blocks of `BLOCK` intervals, which can be read each for itself; `index` has how
long each one is, in time and in bytes.

A boundary is moved to the nearest step of the grid, never a duration: so nothing adds up, and an interval
differs from the recorded one by less than a step. The step is 1 ns where the file has room for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from analysis.arrays import Bools, Bytes, Int32s, Int64s
from analysis.model import HELD, State

from .encoding import deflated, varint_lengths, varints

if TYPE_CHECKING:
    from analysis.export.places import Places
    from analysis.tables.trace import Trace

BLOCK: Final = 512
MOST_STEP: Final = 1024
"""ns. Beyond it intervals are left out instead, where little was waited."""

PLACE_CHANGED: Final = 0x10
ABOUT_CHANGED: Final = 0x20
UNFINISHED: Final = 0x40

_SAMPLES: Final = 48
_SLICES: Final = 256


@dataclass(frozen=True, eq=False)
class Lanes:
    """Encoded lanes; `kept` tells of each block whether its intervals are there."""

    step: int
    first: Int64s
    """Lane i has the blocks first[i] to first[i + 1]."""
    kept: Bools
    index: bytes
    planes: bytes
    tags_size: int
    durations_size: int


@dataclass(frozen=True, eq=False)
class _Rows:
    """All intervals of the trace, in states, lane after lane."""

    start: Int64s
    end: Int64s
    tag: Bytes
    extra: Int64s
    extra_first: Int64s
    first: Int64s


def encode(trace: Trace, places: Places, room: int) -> Lanes:
    """Encode all lanes in about `room` bytes, compressed."""
    rows = _rows(trace, places)
    bounds = _block_bounds(rows.first)
    step = 1
    while step < MOST_STEP and _estimate(rows, step, trace.begin) > room:
        step *= 2
    kept = _kept(rows, bounds, _estimate(rows, step, trace.begin), room)
    return _encoded(rows, bounds, step, trace.begin, kept)


def _rows(trace: Trace, places: Places) -> _Rows:
    states = trace.states_by_column
    place = places.of_interval[states.of]
    about = _about(trace)
    unfinished = np.zeros(len(states.start), bool)
    last = states.first[1:] - 1
    alive = [not exited for exited in trace.columns.exited.tolist()]
    unfinished[last[(states.first[1:] > states.first[:-1]) & np.array(alive, bool)]] = True
    block = _block_of(states.first)
    changed = _changed(states.state, block, place)
    moved = _changed(states.state, block, about)
    tag = states.state | (changed * np.uint8(PLACE_CHANGED)) | (moved * np.uint8(ABOUT_CHANGED))
    tag |= unfinished * np.uint8(UNFINISHED)
    count = changed.astype(np.int64) + moved
    extra_first = np.concatenate([[0], np.cumsum(count)])
    extra = np.empty(int(extra_first[-1]), np.int64)
    extra[extra_first[:-1][changed]] = place[changed]
    extra[(extra_first[1:] - 1)[moved]] = about[moved]
    return _Rows(states.start, states.start + states.duration, tag, extra, extra_first, states.first)


def _about(trace: Trace) -> Int32s:
    """Return for each interval 1 + the GIL that it is about, where a process has several; else 0."""
    states, intervals = trace.states_by_column, trace.intervals_by_column
    about = np.zeros(len(states.start), np.int32)
    for process in trace.processes:
        if sum(gil.process == process.index for gil in trace.gils) < 2:
            continue
        threads = trace.threads_of(process)
        mine = slice(int(states.first[threads.start]), int(states.first[threads.stop]))
        told = np.isin(states.state[mine], (State.WAITING, *HELD))
        about[mine] = np.where(told, 1 + trace.gil_of_events[intervals.event[states.of[mine]]], 0)
    return about


def _block_bounds(first: Int64s) -> tuple[Int64s, Int64s]:
    """Return the first block of each lane, and the first interval of each block; of both the end, too."""
    lengths = np.diff(first)
    blocks = -(-lengths // BLOCK)
    of_lane = np.concatenate([[0], np.cumsum(blocks)])
    lane = np.repeat(np.arange(len(lengths)), blocks)
    bounds = first[lane] + BLOCK * (np.arange(len(lane)) - of_lane[lane])
    return of_lane, np.concatenate([bounds, [first[-1]]])


def _block_of(first: Int64s) -> Int64s:
    _, bounds = _block_bounds(first)
    return np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))


def _changed(state: Bytes, block: Int64s, value: Int32s) -> Bools:
    """Return where a value differs from that of the interval before it in the same block and state (or 0)."""
    changed = np.zeros(len(state), bool)
    for each in np.unique(state):
        mine = np.flatnonzero(state == each)
        before = np.concatenate([[0], value[mine[:-1]]])
        before[np.diff(block[mine], prepend=-1) != 0] = 0
        changed[mine] = value[mine] != before
    return changed


def _durations(rows: _Rows, step: int, begin: int, at: slice) -> Int64s:
    start = (rows.start[at] - begin + step // 2) // step
    end = (rows.end[at] - begin + step // 2) // step
    return end - start


def _estimate(rows: _Rows, step: int, begin: int) -> int:
    """Return about how many bytes all planes are, compressed: from samples, if there are many intervals."""
    count = len(rows.start)
    length = 8 * BLOCK
    if count <= _SAMPLES * length:
        parts = [slice(0, count)]
    else:
        parts = [slice(at, at + length) for at in np.linspace(0, count - length, _SAMPLES).astype(int)]
    size = 0
    planes = (
        b"".join(rows.tag[part].tobytes() for part in parts),
        b"".join(varints(_durations(rows, step, begin, part)) for part in parts),
        b"".join(
            varints(rows.extra[rows.extra_first[part.start] : rows.extra_first[part.stop]]) for part in parts
        ),
    )
    size = sum(len(deflated(plane)) for plane in planes)
    return size * count // max(sum(part.stop - part.start for part in parts), 1)


def _kept(rows: _Rows, bounds: tuple[Int64s, Int64s], size: int, room: int) -> Bools:
    """Return which blocks there is room for: where threads waited most, a slice of time after the other."""
    of_lane, first = bounds
    blocks = len(first) - 1
    kept = np.ones(blocks, bool)
    if size <= room or not blocks:
        return kept
    start, end = rows.start[first[:-1]], rows.end[first[1:] - 1]
    begin, until = int(rows.start.min()), int(rows.end.max())
    edges = np.linspace(begin, until, _SLICES + 1)
    waiting = np.flatnonzero((rows.tag & 0xF) == State.WAITING)
    waited, _ = np.histogram(
        rows.start[waiting], edges, weights=(rows.end[waiting] - rows.start[waiting]).astype(float)
    )
    low = np.clip(np.searchsorted(edges, start, "right") - 1, 0, _SLICES - 1)
    high = np.clip(np.searchsorted(edges, end, "left") - 1, low, _SLICES - 1)
    small = np.repeat(np.diff(of_lane) <= SMALL // BLOCK, np.diff(of_lane))
    kept = small.copy()
    left = room - int(size * small.mean())
    each = size / blocks
    for slice_ in np.argsort(-waited, kind="stable"):
        more = (low <= slice_) & (high >= slice_) & ~kept
        left -= int(each * more.sum())
        if left < 0:
            break
        kept |= more
    return kept


SMALL: Final = 2048
"""A lane of so few intervals is drawn from them at any zoom: it has no shares, and is never left out."""


def _encoded(rows: _Rows, bounds: tuple[Int64s, Int64s], step: int, begin: int, kept: Bools) -> Lanes:
    of_lane, first = bounds
    wanted = np.repeat(kept, np.diff(first))
    durations = _durations(rows, step, begin, slice(None))
    lengths = np.where(wanted, varint_lengths(durations), 0)
    extra_length = varint_lengths(rows.extra)
    extra_bytes = np.concatenate([[0], np.cumsum(extra_length)])[rows.extra_first]
    starts = first[:-1]
    index = np.stack(
        [
            np.add.reduceat(durations, starts) if len(starts) else np.zeros(0, np.int64),
            np.add.reduceat(lengths, starts) if len(starts) else np.zeros(0, np.int64),
            np.where(kept, extra_bytes[first[1:]] - extra_bytes[starts], 0),
        ]
    )
    extra_wanted = np.repeat(wanted, np.diff(rows.extra_first))
    tags = rows.tag[wanted].tobytes()
    durations_bytes = varints(durations[wanted])
    return Lanes(
        step,
        of_lane,
        kept,
        varints(index.ravel()),
        tags + durations_bytes + varints(rows.extra[extra_wanted]),
        len(tags),
        len(durations_bytes),
    )

"""Portions of holds that would need no GIL: those in which a function ran, by samples.

A hold with samples of its own is cut in the middle between two that differ. One with hardly any is given the
share that samples have in all holds that ended at the same instruction, at the side of the hold where they
mostly were; and where there are none, it is the function's, all of it, if it ended in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ..arrays import Bools, Int32s, Int64s, Table
from ..model import Gil
from ..tables.trace import Trace
from .code import frames_in

_OF_ITS_OWN: Final = 3
"""Samples from which on a hold is cut where they say."""


@dataclass(frozen=True)
class Portions:
    """Stretches of holds, in order, none overlapping; by column.

    Attributes
    ----------
    interval : ndarray of int64
        The hold: a position in `trace.intervals_by_column`.
    begin, end : ndarray of int64
        ns of CLOCK_MONOTONIC.
    """

    interval: Int64s
    begin: Int64s
    end: Int64s

    @property
    def total(self) -> int:
        """How long they are, together, ns."""
        return int((self.end - self.begin).sum())


def portions_in(trace: Trace, functions: tuple[str, ...]) -> Portions:
    """Return the portions of holds in which a thread was in these functions, or in what they called.

    A function is named by the end of its dotted path, "module.function" or "module.Class.method".

    Raises
    ------
    NoSuchFunction
        There are no frames in the trace, or none of a function.
    """
    inside = np.zeros(len(trace.frames), bool)
    for name in functions:
        inside |= frames_in(trace, name)
    found = [_of_gil(trace, gil, inside) for gil in trace.gils]
    columns = [np.concatenate(column) if column else _NONE for column in zip(*found, strict=True)]
    interval, begin, end = columns or (_NONE,) * 3
    order = np.lexsort((begin, interval))
    return Portions(interval[order], begin[order], end[order])


_NONE: Final = np.zeros(0, np.int64)


def _of_gil(trace: Trace, gil: Gil, inside: Bools) -> tuple[Int64s, Int64s, Int64s]:
    intervals, holds = trace.intervals_by_column, trace.holds(gil)
    at = trace.holding(gil)
    at = at[np.lexsort((intervals.duration[at], intervals.start[at]))]
    interval = np.full(len(holds.acquired), -1)
    interval[holds.acquire_seen] = at
    samples = trace.samples[trace.samples["gil"] == gil.index]
    own = np.bincount(samples["hold"], minlength=len(interval)) >= _OF_ITS_OWN
    hold, begin, end = _cut(samples[own[samples["hold"]]], inside, holds.acquired, holds.released)
    rest = np.flatnonzero(~own)
    share, last = _alike(samples, inside, trace.release_frames(gil), holds.acquired, holds.released)
    length = np.rint((holds.released - holds.acquired)[rest] * share[rest]).astype(np.int64)
    first = np.where(last[rest], holds.released[rest] - length, holds.acquired[rest])
    hold = np.concatenate([hold, rest])
    begin, end = np.concatenate([begin, first]), np.concatenate([end, first + length])
    some = (end > begin) & (interval[hold] >= 0)
    return interval[hold[some]], begin[some], end[some]


def _cut(samples: Table, inside: Bools, acquired: Int64s, released: Int64s) -> tuple[Int64s, Int64s, Int64s]:
    """Return the stretches of holds that samples of their own, in time order, say are inside."""
    hold, time = samples["hold"].astype(np.int64), samples["time"]
    within = (samples["frame"] >= 0) & inside[samples["frame"]]
    new = np.diff(hold, prepend=-1) != 0
    starts = np.flatnonzero(new | (np.diff(within, prepend=False) != 0))
    ends = np.append(starts[1:], len(hold))
    middle = np.zeros(len(hold) + 1, np.int64)
    middle[1:-1] = time[:-1] + (time[1:] - time[:-1]) // 2
    opens, closes = new[starts], np.append(new, True)[ends]
    of = hold[starts]
    begin = np.where(opens, acquired[of], middle[starts])
    end = np.where(closes, released[of], middle[ends])
    some = within[starts]
    return of[some], begin[some], end[some]


def _alike(
    samples: Table, inside: Bools, ends: Int32s, acquired: Int64s, released: Int64s
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], Bools]:
    """Return for each hold the share inside, as in those that ended as it did, and if that is its end."""
    known = (ends >= 0) & (inside[ends] if len(inside) else False)
    hold, frame = samples["hold"], samples["frame"]
    within = ((frame >= 0) & inside[frame]).astype(np.int64)
    place = (samples["time"] - acquired[hold]) / np.maximum((released - acquired)[hold], 1)
    key, size = ends[hold] + 1, len(inside) + 1
    every = np.bincount(key, minlength=size)
    mine = np.bincount(key, within, size)
    where = [
        np.bincount(key, place * each, size) / np.maximum(np.bincount(key, each, size), 1)
        for each in (within, 1 - within)
    ]
    of = ends + 1
    sampled = (every[of] > 0) & (ends >= 0)
    share = np.where(sampled, mine[of] / np.maximum(every[of], 1), known.astype(np.float64))
    last = sampled & (where[0] > where[1])[of] & (mine[of] < every[of])
    return share, last

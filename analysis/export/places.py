"""Lines of code, numbered: at which one a wait ended and a hold was let go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Int32s
from ..why.code.charges import same_code
from ..why.code.words import function, place

if TYPE_CHECKING:
    from ..tables.trace import Trace


@dataclass(frozen=True, eq=False)
class Places:
    """Lines of code.

    Attributes
    ----------
    names : tuple of (function, file:line, path)
        Number 0 is: not recorded.
    of_interval : ndarray of int32
        For each of the trace's GIL intervals: a wait's is where its thread went on, a hold's where its thread
        let go.
    number : dict of (code, line) to int
    """

    names: tuple[tuple[str, str, str], ...]
    of_interval: Int32s
    number: dict[tuple[int, int], int]


def places(trace: Trace) -> Places:
    """Number the lines that a trace's waits and holds are at."""
    intervals = trace.intervals_by_column
    of_frame, number = _of_frames(trace)
    of_interval = np.zeros(len(intervals.start), np.int32)
    of_interval[intervals.waiting] = of_frame[trace.wait_frames]
    for gil in trace.gils:
        holds, frames = trace.holds(gil), trace.release_frames(gil)
        seen = np.flatnonzero(holds.acquire_seen)
        # Holds are in the order of the lock, intervals in that of their threads.
        order = seen[np.lexsort((holds.released[seen], holds.acquired[seen], holds.thread[seen]))]
        of_interval[trace.holding(gil)] = of_frame[frames[order]]
    names = [("", "", "")] * (len(number) + 1)
    for (code, line), at in number.items():
        found = trace.codes[code]
        names[at] = (function(found), place(found, line), found.file)
    return Places(tuple(names), of_interval, number)


def _of_frames(trace: Trace) -> tuple[Int32s, dict[tuple[int, int], int]]:
    """Return the place of each frame, and at the end (frame -1) that of none; and the numbers of places."""
    same = same_code(trace.codes)
    number: dict[tuple[int, int], int] = {}
    of_frame = [
        number.setdefault((int(same[code]), line), len(number) + 1)
        for code, line in zip(trace.frames["code"].tolist(), trace.frames["line"].tolist(), strict=True)
    ]
    return np.array([*of_frame, 0], np.int32), number

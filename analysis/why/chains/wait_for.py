"""Who waits for whom: every wait, for a GIL or another lock, by who had meanwhile what was wanted."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np

from ...arrays import Int64s, Table
from ...measures.lock_names import lock_name, place_of
from ...model import Gil
from ...tables.trace import Trace
from ..locks.holders import lock_pieces


class Sort(IntEnum):
    """What is waited for; numbers are those of WAIT_FOR's `sort` column."""

    GIL = 0
    LOCK = 1
    STOP = 2  # the world is stopped


WAIT_FOR: Final = np.dtype(
    [
        ("start", "<i8"),
        ("duration", "<i8"),
        ("thread", "<i4"),
        ("holder", "<i4"),  # a thread; -1: nobody, or not known
        ("sort", "u1"),
        ("about", "<i4"),  # index in Trace.gils or Trace.locks; -1: not known
        ("frame", "<i4"),  # where it waits: index in Trace.frames; -1: not known
        ("holder_frame", "<i4"),  # where the holder let it go; -1: not known
    ],
    align=True,
)
"""Stretches of waits, sorted by (thread, start)."""


def wait_for(trace: Trace) -> Table:
    """Return the WAIT_FOR table: shape (stretches,); those of a thread don't overlap."""
    parts = [_of_gil(trace, gil) for gil in trace.gils]
    pieces, waits = lock_pieces(trace), trace.lock_waits
    locks = np.zeros(len(pieces), WAIT_FOR)
    for name in ("start", "duration", "thread", "holder"):
        locks[name] = pieces[name]
    locks["holder_frame"] = pieces["frame"]
    locks["about"], locks["frame"] = waits["lock"][pieces["wait"]], waits["frame"][pieces["wait"]]
    locks["sort"] = np.where(waits["stopped"][pieces["wait"]], Sort.STOP, Sort.LOCK)
    whole = np.concatenate([*parts, locks])
    ordered: Table = whole[np.lexsort((whole["start"], whole["thread"]))]
    return ordered


def _of_gil(trace: Trace, gil: Gil) -> Table:
    mine = trace.waits_for(gil)
    waits, frames = trace.waits[mine], trace.wait_frames[mine]
    holds = trace.holds(gil)
    some = np.flatnonzero(holds.released > holds.acquired)
    acquired, released, thread = holds.acquired[some], holds.released[some], holds.thread[some]
    of_holds = trace.hold_frames(gil)[some]
    start, end = waits["start"], waits["start"] + waits["duration"]
    first, last = np.searchsorted(released, start, "right"), np.searchsorted(acquired, end, "left")
    count = np.where(end > start, np.maximum(last - first, 0), 0)
    wait = np.repeat(np.arange(len(waits)), count)
    hold = np.arange(int(count.sum())) + np.repeat(first - (np.cumsum(count) - count), count)
    table = np.zeros(len(wait), WAIT_FOR)
    begin = np.maximum(acquired[hold], start[wait])
    table["start"], table["duration"] = begin, np.minimum(released[hold], end[wait]) - begin
    table["thread"], table["holder"] = waits["thread"][wait], thread[hold]
    table["about"], table["frame"] = gil.index, frames[wait]
    table["holder_frame"] = of_holds[hold]
    others: Table = table[table["holder"] != table["thread"]]
    return others


def name_of(trace: Trace, sort: int, about: int) -> str:
    """Return what to call what is waited for."""
    if sort == Sort.STOP:
        return "the world is stopped"
    if sort == Sort.GIL:
        process = trace.gils[about].process
        alone = sum(gil.process == process for gil in trace.gils) == 1
        return "the GIL" if alone else f"GIL {trace.gils[about].number}"
    return lock_name(trace.locks[about]) if about >= 0 else "a lock"


def clip(rows: Table, begin: Int64s, end: Int64s) -> Table:
    """Return the parts of some rows within stretches; of both, none overlap, and they are sorted."""
    start, stop = rows["start"], rows["start"] + rows["duration"]
    first, last = np.searchsorted(stop, begin, "right"), np.searchsorted(start, end, "left")
    count = np.maximum(last - first, 0)
    which = np.repeat(np.arange(len(begin)), count)
    at = np.arange(int(count.sum())) + np.repeat(first - (np.cumsum(count) - count), count)
    parts: Table = rows[at]
    parts["start"] = np.maximum(start[at], begin[which])
    parts["duration"] = np.minimum(stop[at], end[which]) - parts["start"]
    return parts


def places(trace: Trace, row: np.void) -> tuple[str, str]:
    """Return where a row of WAIT_FOR waits, and where it was let go."""
    return place_of(trace, int(row["frame"])), place_of(trace, int(row["holder_frame"]))

"""Intervals in brief of a trace whose streams can't be told from: of its tables."""

from __future__ import annotations

import numpy as np

from ...fold.briefly import FOUND, Brief, told_briefly
from ...reader.format import Event
from ...tables.trace import Trace


def brief_of_tables(trace: Trace) -> Brief:
    """Return the intervals of a trace, of its tables."""
    intervals, states, columns = trace.intervals_by_column, trace.states_by_column, trace.columns
    kind = intervals.kind.copy()
    following = np.minimum(intervals.event + 1, max(len(columns.kind) - 1, 0))
    asked = (columns.kind[following] == Event.GIL_DROP_REQUESTED) & (kind == Event.GIL_RELEASED)
    kind[asked] |= FOUND
    about = trace.gil_of_events[intervals.event]
    timed = [(gil.index, *trace.timed_waits(gil)) for gil in trace.gils]
    none = np.zeros(0, np.int64)
    return told_briefly(
        intervals.first,
        intervals.start,
        intervals.state,
        kind,
        about.astype(np.int16),
        (states.of, states.state, states.start, states.start + states.duration),
        (
            np.concatenate([none, *(began for _, began, _ in timed)]),
            np.concatenate([none, *(ended for _, _, ended in timed)]),
            np.concatenate([none, *(np.full(len(began), gil) for gil, began, _ in timed)]),
        ),
    )

"""Wake-ups for nothing, inside waits: a thread gets a CPU, does not get the GIL, and blocks again.

With the old GIL (CPython 2.7) that is the battle of Beazley's talk: the one that drops the GIL takes it
again before the one that it woke is on a CPU. With the new one, a wait wakes up at each switch interval.
"""

from __future__ import annotations

import numpy as np

from ...arrays import Int64s, Table
from ...dtypes import RETRY
from ...model import State
from ..gil.intervals import Intervals
from .onto_cpu import ON, Stretches
from .states import Merged


def retry_table(intervals: Intervals, stretches: Stretches, merged: Merged) -> Table:
    """Return the RETRY table: stretches on a CPU that begin and end inside one wait.

    Not the one at whose end the wait ends, nor the one in which the thread asked and went to sleep; one that
    ends because the thread was preempted goes on later, and counts when it ends for good.
    """
    at = np.flatnonzero(~merged.is_gil & (merged.stretch >= 0))
    at = at[stretches.state[merged.stretch[at]] == ON]
    thread = np.searchsorted(merged.thread_first, at, "right") - 1
    wait, stretch = merged.gil[at], merged.stretch[at]
    start, duration = stretches.start[stretch], stretches.duration[stretch]
    mine = wait >= intervals.first[thread]
    inside = mine & (intervals.state[np.maximum(wait, 0)] == State.WAITING)
    ends_before = start + duration < intervals.start[wait] + intervals.duration[wait]
    begins_after = start > intervals.start[wait]
    chosen = np.flatnonzero(inside & ends_before & begins_after & ~stretches.preempted[stretch])
    table = np.empty(len(chosen), RETRY)
    table["start"] = start[chosen]
    table["duration"] = duration[chosen]
    table["thread"] = thread[chosen]
    table["wait"] = _rank(intervals.waiting, wait[chosen])
    table["cpu"] = stretches.cpu[stretch[chosen]]
    return table


def _rank(sorted_positions: Int64s, positions: Int64s) -> Int64s:
    ranks: Int64s = np.searchsorted(sorted_positions, positions)
    return ranks

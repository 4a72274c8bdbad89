"""Drop requests: which releases answered one.

The interpreter makes a request without a call that could be seen, so it is worked out as CPython does it
(`take_gil` in Python/ceval_gil.c): a waiter whose timed wait has run out sets the request if the GIL is held
and has not changed hands since that wait began; a take withdraws what was asked of the holder before. A
release answers a request if one was made in its hold.

The trace also says where a thread found a request pending, after its release. That alone is too little and
too much: the next holder may have withdrawn it by then, so that it is not found; and up to 3.12, where a
request belongs to the interpreter and not to the holder, it may be the one made to the next holder.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from .arrays import Bools, Int64s
from .columns import Columns
from .format import Event
from .handoffs import Holds
from .intervals import Intervals
from .model import State
from .parallel import together

OWN_REQUESTS = (3, 13)
"""The first version in which a request found is one made to the finder."""


def timed_waits(columns: Columns, positions: Int64s) -> tuple[Int64s, Int64s]:
    """Return when the timed waits that ran out began and ended.

    Parameters
    ----------
    positions : ndarray of int64
        Of GIL_TIMEOUT events in `columns`. The event before each is of the same thread: its ask, or the
        timeout before.
    """
    return columns.time[positions - 1], columns.time[positions]


def requested(holds: Holds, began: Int64s, ended: Int64s, trusted_until: int) -> Bools:
    """Return which holds ended with a release that answered a drop request: shape (holds,).

    Parameters
    ----------
    holds : Holds
        `requested` of them says where a request was found.
    began, ended : ndarray of int64
        The timed waits for this GIL that ran out: see `timed_waits`.
    trusted_until : int
        ns. Up to then what was found counts too: some waiters were not known yet, or it is never wrong.
    """
    made = holds.requested & (holds.released <= trusted_until)
    if len(holds.acquired) and len(ended):
        taken_over = _taken_over(holds)

        def ask(part: slice) -> None:
            at = np.searchsorted(holds.acquired, ended[part], "right") - 1
            asked = (at >= 0) & (ended[part] <= holds.released[at]) & (began[part] >= taken_over[at])
            made[at[asked]] = True

        middle = len(ended) // 2
        parts = [slice(middle), slice(middle, None)]
        together([partial(ask, part) for part in parts], events=len(ended))
    return made & holds.release_seen


def _taken_over(holds: Holds) -> Int64s:
    """Return, for each hold, when its thread took the GIL over from another one."""
    changed = np.append(True, holds.thread[1:] != holds.thread[:-1])
    at = np.flatnonzero(changed)
    if len(at) == len(changed):
        return holds.acquired
    return np.repeat(holds.acquired[at], np.diff(at, append=len(changed)))


def all_known(intervals: Intervals, threads: slice) -> int:
    """Return when the last of some threads was first seen, of those that lived before: ns, 0 without one."""
    first, last = intervals.first[threads.start], intervals.first[threads.stop]
    unknown = np.flatnonzero(intervals.state[first:last] == State.UNKNOWN) + first
    return int((intervals.start + intervals.duration)[unknown].max(initial=0))


def timeouts(columns: Columns, events: slice, number: int | None) -> Int64s:
    """Return the positions of the GIL_TIMEOUT events within `events`, about the GIL of this number only."""
    at: Int64s = np.flatnonzero(columns.kind[events] == Event.GIL_TIMEOUT) + events.start
    return at if number is None else at[columns.gil[at] == number]

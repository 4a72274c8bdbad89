"""Drop requests: which releases answered one.

The interpreter makes a request without a call that could be seen, so it is worked out as CPython does it
(`take_gil` in Python/ceval_gil.c): a waiter whose timed wait has run out sets the request if the GIL is held
and has not changed hands since that wait began; a take withdraws what was asked of the holder before. A
release answers a request if one was made in its hold.

`requested` says of each hold whether its release answered a request, `first_requests` since when one was in
force. The request is a flag of the holder's: it is there once, whoever of the waiters made it.

The trace also says where a thread found a request pending, after its release. That alone is too little and
too much: the next holder may have withdrawn it by then, so that it is not found; and up to 3.12, where a
request belongs to the interpreter and not to the holder, it may be the one made to the next holder.
"""

from __future__ import annotations

from functools import partial
from typing import Final, Protocol

import numpy as np

from ...arrays import Bools, Int32s, Int64s
from ...model import State
from ...parallel import together
from ...reader.format import LONG, Event
from ..columns import Columns
from .handoffs import Holds
from .intervals import Intervals

OWN_REQUESTS = (3, 13)
"""The first version in which a request found is one made to the finder."""

_AT_ONCE: Final = 1 << 18

NEVER: Final = int(np.iinfo(np.int64).max)
"""When a request was made that was not."""


class Order(Protocol):
    """The holds of a GIL, in the order of the lock: some or all, `Holds` for one."""

    @property
    def acquired(self) -> Int64s: ...

    @property
    def released(self) -> Int64s: ...

    @property
    def thread(self) -> Int32s: ...


def timed_waits(columns: Columns, positions: Int64s) -> tuple[Int64s, Int64s]:
    """Return when the timed waits that ran out began and ended.

    Parameters
    ----------
    positions : ndarray of int64
        Of GIL_TIMEOUT events in `columns`, whose arg is how long it took: a thread that wakes up for a
        release and finds the GIL taken again begins a new one. Traces up to format 2 don't say it; there it
        is taken to begin with the event before, of the same thread: its ask, or the timeout before.
    """
    ended, length = columns.time[positions], columns.arg[positions].astype(np.int64)
    told = (length != 0) & (length != LONG)
    return np.where(told, ended - length, columns.time[positions - 1]), ended


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
            at, asked = _asked(holds, taken_over, began[part], ended[part])
            made[at[asked]] = True

        together([partial(ask, part) for part in _parts(len(ended))], events=len(ended))
    return made & holds.release_seen


def first_requests(holds: Order, began: Int64s, ended: Int64s) -> Int64s:
    """Return when the first drop request to each hold was made, ns: shape (holds,); NEVER where none was.

    That is the end of the first timed wait that ran out in the hold and had begun since its thread took the
    GIL over. Of a request that was found, but whose waiter is not known, nobody knows when: NEVER.

    Parameters
    ----------
    began, ended : ndarray of int64
        The timed waits for this GIL that ran out: see `timed_waits`.
    """
    first = np.full(len(holds.acquired), NEVER)
    if len(first) and len(ended):
        taken_over = _taken_over(holds)
        for part in _parts(len(ended)):
            at, asked = _asked(holds, taken_over, began[part], ended[part])
            np.minimum.at(first, at[asked], ended[part][asked])
    return first


def _asked(holds: Order, taken_over: Int64s, began: Int64s, ended: Int64s) -> tuple[Int64s, Bools]:
    """Return in which hold each timed wait ran out, and whether that made a request to it."""
    at = np.searchsorted(holds.acquired, ended, "right") - 1
    asked: Bools = (at >= 0) & (ended <= holds.released[at]) & (began >= taken_over[at])
    return at, asked


def _taken_over(holds: Order) -> Int64s:
    """Return, for each hold, when its thread took the GIL over from another one."""
    changed = np.append(True, holds.thread[1:] != holds.thread[:-1])
    if changed.all():
        return holds.acquired
    since = np.where(changed, holds.acquired, holds.acquired[0])
    return np.maximum.accumulate(since, out=since)


def _parts(count: int) -> list[slice]:
    """Return what to look at at once: what is made of so many timed waits stays small."""
    return [slice(low, low + _AT_ONCE) for low in range(0, count, _AT_ONCE)]


def all_known(intervals: Intervals, threads: slice) -> int:
    """Return when the last of some threads was first seen, of those that lived before: ns, 0 without one."""
    first, last = intervals.first[threads.start], intervals.first[threads.stop]
    unknown = np.flatnonzero(intervals.state[first:last] == State.UNKNOWN) + first
    return int((intervals.start + intervals.duration)[unknown].max(initial=0))


def timeouts(columns: Columns, events: slice, number: int | None) -> Int64s:
    """Return the positions of the GIL_TIMEOUT events within `events`, about the GIL of this number only."""
    at: Int64s = np.flatnonzero(columns.kind[events] == Event.GIL_TIMEOUT) + events.start
    return at if number is None else at[columns.gil[at] == number]

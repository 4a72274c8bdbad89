"""Which holds answered a request for the GIL, and after how much work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ...arrays import Int32s, Int64s, UInt32s
from ...tables.gil import requests
from .compact import in_parts, narrow
from .order import LockOrder
from .work import RecordedWork

CALL: Final = 100_000
"""ns of work from which on an answer to a request was not the next check, but the end of a call."""


@dataclass(frozen=True)
class _Held:
    """As `requests.Order`."""

    acquired: Int64s
    released: Int64s
    thread: Int32s


@dataclass(frozen=True)
class Answers:
    """Holds of a GIL that answered a request.

    Attributes
    ----------
    hold : ndarray of int32 or int64
        Their intervals.
    took : ndarray of uint32 or int64
        ns of work from the request to their end.
    call, asked : ndarray of int64
        Which of them took at least `CALL`, and their work until the request.
    """

    hold: Int32s | Int64s
    took: UInt32s | Int64s
    call: Int64s
    asked: Int64s


def answers_of(work: RecordedWork, order: LockOrder) -> Answers:
    """Return which holds of a GIL answered a request."""
    ends, threads = work.end_of(order.at), work.thread_of(order.at).astype(np.int32)
    asked = requests.first_requests(_Held(order.acquired, ends, threads), *work.timed_waits(order.gil))
    del ends, threads
    which = np.flatnonzero(order.requested & (asked < requests.NEVER))
    hold, asked = order.at[which], asked[which]
    del which
    took, calls = np.empty(len(hold), np.int64), [np.zeros((2, 0), np.int64)]
    for low, high in in_parts(len(hold)):
        some = hold[low:high].astype(np.int64)
        until = work.work_until(some, asked[low:high])
        took[low:high] = work.work_of(some) - until
        call = np.flatnonzero(took[low:high] >= CALL)
        calls.append(np.stack([call + low, until[call]]))
    call, until = np.concatenate(calls, axis=1)
    return Answers(hold, narrow(took), call, until)

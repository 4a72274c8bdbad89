"""When threads waited for one GIL, and how often it went from thread to thread meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...model import Gil
from ...tables.trace import Trace


@dataclass(frozen=True)
class Contention:
    """Of one GIL, in ns.

    Attributes
    ----------
    time : int
        For how long at least one thread waited, from `begin` to `end`.
    switches, free : int
        How often it went to another thread while somebody waited, and how long that took in all.
    """

    time: int
    begin: int
    end: int
    switches: int
    free: int


def contention(trace: Trace, gil: Gil) -> Contention:
    """Return the contention of a GIL, from one pass or from the tables."""
    if trace.folded is not None:
        of = trace.folded.gils[gil.index]
        return Contention(of.contended, of.first_wait, of.last_wait_end, of.contended_switches, of.free)
    begin, end = trace.contended(gil)
    handoffs = trace.handoffs
    handoffs = handoffs[(handoffs["gil"] == gil.index) & handoffs["contended"]]
    handoffs = handoffs[handoffs["from_thread"] != handoffs["to_thread"]]
    return Contention(
        int((end - begin).sum()),
        int(begin[0]) if len(begin) else -1,
        int(end[-1]) if len(end) else -1,
        len(handoffs),
        int(np.sum(handoffs["acquired"] - handoffs["released"])),
    )

"""The handoff matrix: how often each thread took the GIL over from each."""

from __future__ import annotations

from typing import Final

import numpy as np

from ..arrays import Table
from .gil.handoffs import Holds
from .trace import Trace

FLOW: Final = np.dtype(
    [("from_thread", "<i4"), ("to_thread", "<i4"), ("count", "<i8"), ("requested", "<i8")], align=True
)
"""The matrix without its zeros: ten thousand threads have a hundred million pairs, and few of them meet."""


def handoff_matrix(trace: Trace) -> Table:
    """Return the FLOW table, GIL after GIL; `requested` counts handoffs that answered a drop request."""
    flows = [_flow_of(len(trace.threads), trace.holds(gil)) for gil in trace.gils]
    return np.concatenate(flows) if flows else np.empty(0, FLOW)


def _flow_of(size: int, holds: Holds) -> Table:
    """Count the handoffs of one GIL from each of `size` threads to each."""
    handed = holds.handed_on()
    pair = holds.thread[:-1][handed].astype(np.int64) * size + holds.thread[1:][handed]
    key = 2 * pair + holds.requested[:-1][handed]
    if size <= 256:
        count = np.bincount(key, minlength=2 * size * size).reshape(-1, 2)
        every = np.flatnonzero(count.any(axis=1))
        count = count[every]
    else:
        keys, counts = np.unique(key, return_counts=True)
        every, inverse = np.unique(keys // 2, return_inverse=True)
        count = np.zeros((len(every), 2), np.int64)
        count[inverse, keys % 2] = counts
    flow = np.empty(len(every), FLOW)
    flow["from_thread"], flow["to_thread"] = np.divmod(every, size)
    flow["count"] = count.sum(axis=1)
    flow["requested"] = count[:, 1]
    return flow

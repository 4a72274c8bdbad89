"""Who had a lock while others waited for it: the pieces of waits that `tables.locks.hands` tells of."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...arrays import Table
from ...tables.trace import Trace
from .pieces import Pieces

LOCK_PIECE: Final = np.dtype(
    [
        ("start", "<i8"),
        ("duration", "<i8"),
        ("wait", "<i8"),  # row of Trace.lock_waits
        ("thread", "<i4"),  # who waits
        ("holder", "<i4"),  # who had it; -1: nobody, it is on its way, or nobody is known
        ("frame", "<i4"),  # where that one let it go: index in Trace.frames; -1: not known
        ("known", "?"),  # False: it is not known who had it
    ],
    align=True,
)
"""Pieces of waits, sorted by (wait, start); those of one wait tile it."""


def lock_pieces(trace: Trace) -> Table:
    """Return the LOCK_PIECE table: shape (pieces,). Of a pool's queue there are very many."""
    rows = Pieces(trace.lock_hands).table()
    pieces = np.empty(len(rows), LOCK_PIECE)
    for column, name in enumerate(("start", "duration", "wait", "holder", "frame", "known")):
        pieces[name] = rows[:, column]
    pieces["thread"] = trace.lock_waits["thread"][pieces["wait"]]
    return pieces

"""Events of a gil stream that say nothing of a GIL: they are kept apart, so that its order is as it was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...arrays import Bytes, Int64s, UInt32s
from ..format import SIDE

IS_SIDE = np.zeros(256, bool)
IS_SIDE[list(SIDE)] = True


@dataclass(frozen=True)
class Side:
    """Such events of one stream, or of all: in the order of the file.

    Attributes
    ----------
    at : ndarray of int64
        How many events of the other kind are before each, in the store.
    time, kind, arg : ndarray of int64, uint8, uint32
        As those of `Columns`.
    """

    at: Int64s
    time: Int64s
    kind: Bytes
    arg: UInt32s

    def of_run(self, first: int, last: int) -> Side:
        """Return those of a thread that has the other events first to last."""
        if not len(self.at):
            return self
        mine = slice(*np.searchsorted(self.at, [first, last], "right").tolist())
        return Side(self.at[mine], self.time[mine], self.kind[mine], self.arg[mine])

    def moved(self, first: int) -> Side:
        """Return them for a stream that has its place in the store from `first` on."""
        return Side(self.at + first, self.time, self.kind, self.arg)


NO_SIDE = Side(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.uint8), np.zeros(0, np.uint32))

"""Where streams are decoded to: an array a column for the whole trace, so that nothing is copied later."""

from __future__ import annotations

import numpy as np

from ...arrays import Bytes, Int64s, UInt16s, UInt32s


class Store:
    """Columns of events, stream after stream.

    Attributes
    ----------
    time, kind, gil, arg : ndarray of int64, uint8, uint16, uint32
        One element an event, `used` of them; see `Columns` for what they say.
    """

    def __init__(self, capacity: int) -> None:
        self.time: Int64s = np.empty(capacity, np.int64)
        self.kind: Bytes = np.empty(capacity, np.uint8)
        self.gil: UInt16s = np.empty(capacity, np.uint16)
        self.arg: UInt32s = np.empty(capacity, np.uint32)
        self.used = 0

    def room(self, count: int) -> tuple[Int64s, Bytes, UInt16s, UInt32s]:
        """Return the columns' next `count` elements, to be filled; `keep` makes them part of the store."""
        part = slice(self.used, self.used + count)
        if part.stop > len(self.time):  # files may have grown since the capacity was reckoned
            self._grow(max(part.stop, 2 * len(self.time)))
        return self.time[part], self.kind[part], self.gil[part], self.arg[part]

    def _grow(self, capacity: int) -> None:
        for name in ("time", "kind", "gil", "arg"):
            column = getattr(self, name)
            larger = np.empty(capacity, column.dtype)
            larger[: self.used] = column[: self.used]
            setattr(self, name, larger)

    def keep(self, time: Int64s, kind: Bytes, gil: UInt16s, arg: UInt32s) -> int:
        """Add events, which may be in their `room` already; return the position of the first one."""
        first = self.used
        mine = self.room(len(time))
        if not np.shares_memory(mine[0][:1], time[:1]):
            mine[0][...], mine[1][...], mine[2][...], mine[3][...] = time, kind, gil, arg
        self.used += len(time)
        return first

"""How long a GIL has been held, asked for and stalled, up to any time: what waits are measured with.

Each is a function of time that never decreases and can be looked up, so that what was the matter during a
wait is one look-up at its begin and one at its end, however many holds lie between.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...arrays import Bools, Int32s, Int64s
from .handoffs import Holds


@dataclass(frozen=True)
class GilClock:
    """The holds of one GIL, and sums over those before each; element 0 is none: what was before the first.

    Attributes
    ----------
    start, asked, end : ndarray of int64, shape (holds + 1,)
        ns. In `asked` a drop request is in force from then to the end; it is the end where none was made.
        They are in order and don't overlap, also where a damaged trace says so.
    thread : ndarray of int32
        Who held it.
    unknown : ndarray of bool
        Nobody is known to hold it from this end to the next start, nor that it was free: it was held by a
        thread that was not seen to take it, or events were lost.
    """

    start: Int64s
    asked: Int64s
    end: Int64s
    thread: Int32s
    unknown: Bools
    _unasked_before: Int64s
    _asked_before: Int64s
    _unknown_before: Int64s

    @classmethod
    def of(cls, holds: Holds, requested: Int64s, begin: int) -> GilClock:
        """Return the clock of a GIL.

        Parameters
        ----------
        requested : ndarray of int64
            When each hold was first asked to end: `requests.first_requests`.
        begin : int
            No wait begins before it.
        """
        count = len(holds.acquired)
        start, end = np.empty(count + 1, np.int64), np.empty(count + 1, np.int64)
        start[0] = end[0] = min(begin, int(holds.acquired[0])) if count else begin
        end[1:] = holds.released
        np.maximum.accumulate(end, out=end)
        np.maximum(holds.acquired, end[:-1], out=start[1:])
        asked = end.copy()
        np.clip(requested, start[1:], end[1:], out=asked[1:])
        thread = np.insert(holds.thread, 0, -1)
        unknown = np.ones(count + 1, bool)
        if count:
            unknown[1:-1] = ~(holds.release_seen[:-1] & holds.acquire_seen[1:])
            unknown[-1] = not holds.release_seen[-1]
        gaps = np.zeros(count + 1, np.int64)
        gaps[:-1][unknown[:-1]] = (start[1:] - end[:-1])[unknown[:-1]]
        sums = _before(asked - start), _before(end - asked), _before(gaps)
        return cls(start, asked, end, thread, unknown, *sums)

    def position(self, time: Int64s) -> Int64s:
        """Return for each time the last hold that has begun by then; 0: none has."""
        at: Int64s = np.maximum(np.searchsorted(self.start, time, "right") - 1, 0)
        return at

    def held_unasked(self, time: Int64s, at: Int64s) -> Int64s:
        """Return for how long it was held up to each time with no drop request in force, ns.

        `at` is the times' `position`, here and below.
        """
        result: Int64s = self._unasked_before[at] + np.minimum(time, self.asked[at]) - self.start[at]
        return result

    def held_asked(self, time: Int64s, at: Int64s) -> Int64s:
        """Return for how long it was held up to each time although a drop request was in force, ns."""
        asked = self.asked[at]
        result: Int64s = self._asked_before[at] + np.clip(time, asked, self.end[at]) - asked
        return result

    def time_unknown(self, time: Int64s, at: Int64s) -> Int64s:
        """Return for how long, up to each time, it is not known whether somebody held it, ns."""
        end = self.end[at]
        since = np.where(self.unknown[at], np.maximum(time, end) - end, 0)
        result: Int64s = self._unknown_before[at] + since
        return result


@dataclass(frozen=True)
class StallClock:
    """The stretches in which the holder of one GIL had no CPU; element 0 is none, before all times.

    `begin`, `asked` and `end` are in order; a drop request is in force from `asked` to the end.
    """

    begin: Int64s
    asked: Int64s
    end: Int64s
    _unasked_before: Int64s
    _asked_before: Int64s

    @classmethod
    def of(cls, clock: GilClock, begin: Int64s, end: Int64s) -> StallClock:
        """Return the clock of a GIL whose holder is stalled from each `begin` to each `end`, ns, sorted."""
        never = int(np.iinfo(np.int64).min)
        asked = np.clip(clock.asked[clock.position(begin)], begin, end)
        begin, asked, end = (np.insert(times, 0, never) for times in (begin, asked, end))
        return cls(begin, asked, end, _before(asked - begin), _before(end - asked))

    def unasked(self, time: Int64s) -> Int64s:
        """Return for how long, up to each time, the holder was stalled with no drop request in force, ns."""
        at = self._position(time)
        upto: Int64s = self._unasked_before[at] + np.minimum(time, self.asked[at]) - self.begin[at]
        return upto

    def asked_for(self, time: Int64s) -> Int64s:
        """Return the same with a drop request in force."""
        at = self._position(time)
        asked = self.asked[at]
        upto: Int64s = self._asked_before[at] + np.clip(time, asked, self.end[at]) - asked
        return upto

    def _position(self, time: Int64s) -> Int64s:
        at: Int64s = np.searchsorted(self.begin, time, "right") - 1
        return at


def _before(lengths: Int64s) -> Int64s:
    """Return for each length the sum of those before it."""
    sums: Int64s = np.cumsum(lengths) - lengths
    return sums

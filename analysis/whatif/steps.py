"""Which steps a program has: which interval each comes from, and which holds are one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ..arrays import Bools, Int8s, Int16s, Int64s, distinct
from ..model import State
from ..tables.gil.requests import NEVER
from .kinds import BLOCKED, NATIVE, PYTHON
from .recorded.answers import CALL
from .recorded.compact import AT_ONCE, in_parts
from .recording import Recording
from .wakes import Wakes

RETURN_LIMIT: Final = 1_000_000
"""ns after another thread took the GIL within which the one that had to drop it asks again."""

BUSY_LIMIT: Final = 20_000_000
"""The same of one that dropped it right after the request: on a busy machine it waits for a CPU to ask."""

_NONE: Final = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Chain:
    """What follows holds that were asked to end, in order.

    Attributes
    ----------
    hold, next_taken : ndarray of int64
        The holds, and when the GIL was taken next; NEVER: it was not.
    returns : ndarray of bool
        Only the request ended it, and the thread asked again at once.
    """

    hold: Int64s
    next_taken: Int64s
    returns: Bools


def find_chain(recording: Recording) -> Chain:
    """Return what follows holds that were asked to end."""
    found: list[tuple[Int64s, Int64s]] = [(_NONE, _NONE)]
    for order in recording.orders:
        asked = np.flatnonzero(order.requested)
        following = np.minimum(asked + 1, len(order.at) - 1)
        taken = np.where(asked + 1 < len(order.at), order.acquired[following], NEVER)
        found.append((order.at[asked].astype(np.int64), taken))
        del asked, following, taken
    hold, next_taken = (np.concatenate(each) for each in zip(*found, strict=True))
    found.clear()
    if not (hold[1:] > hold[:-1]).all():
        by_place = np.argsort(hold, kind="stable")
        hold, next_taken = hold[by_place], next_taken[by_place]
        del by_place
    limit = np.full(len(hold), RETURN_LIMIT)
    for answers in recording.answers:
        limit[np.searchsorted(hold, answers.hold[answers.took < CALL])] = BUSY_LIMIT
    returns = np.zeros(len(hold), bool)
    which = np.flatnonzero(hold < len(recording) - 2)
    which = which[~recording.last[hold[which]] & ~recording.last[hold[which] + 1]]
    at = hold[which]
    back = np.where(next_taken[which] < NEVER, next_taken[which], 0) + limit[which]
    returns[which] = (
        (recording.state[at + 1] == State.RELEASED)
        & (recording.gil_of(at + 2) == recording.gil_of(at))
        & (recording.end_of(at + 1) <= back)
    )
    return Chain(hold, next_taken, returns)


class Steps:
    """Which steps come from which interval: [begin | late] [native] [main]."""

    def __init__(
        self,
        recording: Recording,
        chain: Chain,
        wakes: Wakes,
        gaps: Int64s,
        dropped: Bools,
        released: Bools | None,
    ) -> None:
        self._recording, self._gaps = recording, gaps
        first = recording.first[:-1]
        begun = distinct(wakes.gap[wakes.begins])
        # Threads that nobody of the recording started.
        late = first[~np.isin(first, begun) & (recording.start[first] > recording.trace.begin)]
        self._late, self._opens = late, distinct(np.concatenate([begun, late]))
        self._follow(chain, released)
        self._native = np.zeros(len(recording), bool)
        self.begin = np.zeros(len(recording) + 1, _index(3 * len(recording)))
        count = self.begin[1:]  # it becomes a sum where it stands
        for low, high in in_parts(len(recording)):
            state = recording.state[low:high]
            self._native[low:high] = recording.brief.native(low, high) > 0
            self._native[low:high] &= (state <= State.RELEASED) & ~dropped[low:high]
            count[low:high] = self._native[low:high]
            count[low:high] += state == State.HOLDING
        count[self._opens] += 1
        count[self._continue] -= 1
        count[gaps] += 1
        np.cumsum(count, out=count)
        self.first = self.begin[recording.first].astype(np.int64)
        self.count = int(self.begin[-1])

    def _follow(self, chain: Chain, released: Bools | None) -> None:
        """Find the holds that go on with the work of the thread's hold before, of the same kind."""
        recording = self._recording
        at = chain.hold[chain.returns].astype(_index(len(recording)))
        following = at + 2 + (recording.state[np.minimum(at + 2, len(recording) - 1)] == State.WAITING)
        fits = following < len(recording)
        at, following = at[fits], following[fits]
        fits = recording.state[following] == State.HOLDING
        for low, high in in_parts(len(at)):
            fits[low:high] &= recording.thread_of(at[low:high]) == recording.thread_of(following[low:high])
        if released is not None:
            fits &= released[at] == released[following]
        at, self._continue = at[fits], following[fits]
        new = np.ones(len(at), bool)
        new[1:] = at[1:] != self._continue[:-1]
        row = np.cumsum(new, dtype=np.int32)
        row -= 1
        self._leader = at[new][row]
        base = recording.work_of(at)
        opening = np.flatnonzero(new)
        first = base[opening]
        np.cumsum(base, out=base)
        before = base[opening] - first
        for low, high in in_parts(len(base)):
            base[low:high] -= before[row[low:high]]
        self._base = base

    def main(self, at: Int64s) -> Int64s:
        """Return the last step of intervals."""
        return self.begin[at].astype(np.int64) + np.isin(at, self._opens) + self._native[at]

    def of_holds(self, hold: Int64s) -> tuple[Int64s, Int64s]:
        """Return the steps that holds are in, and how much work of these is done before them."""
        place = np.searchsorted(self._continue, hold)
        goes_on = np.append(self._continue, -1)[place] == hold
        leader = np.where(goes_on, np.append(self._leader, -1)[place], hold)
        return self.main(leader), np.where(goes_on, np.append(self._base, 0)[place], 0)

    def arrays(self, released: Bools | None, blocked: Int64s) -> tuple[Int8s, Int16s, Int64s]:
        """Return kinds, GILs and amounts; those of events are not filled in."""
        recording = self._recording
        kind, gil = np.full(self.count, BLOCKED, np.int8), np.full(self.count, -1, np.int16)
        amount = np.zeros(self.count, np.int64)
        opens, goes_on = np.zeros(AT_ONCE, bool), np.zeros(AT_ONCE, bool)
        for low, high in in_parts(len(recording)):
            some = slice(0, high - low)
            for flags, of in ((opens, self._opens), (goes_on, self._continue)):
                flags[:] = False
                flags[of[slice(*np.searchsorted(of, [low, high]).tolist())] - low] = True
            begin, native = self.begin[low:high], self._native[low:high]
            at = np.flatnonzero(native)
            step = begin[at] + opens[at]
            kind[step], amount[step] = NATIVE, recording.brief.native(low, high)[at]
            work = recording.durations(low, high)
            recording.lost_in(low, high, work)
            at = np.flatnonzero((recording.state[low:high] == State.HOLDING) & ~goes_on[some])
            step = begin[at] + opens[at]
            free = False if released is None else released[low:high][at]
            kind[step] = np.where(free, NATIVE, PYTHON)
            gil[step] = np.where(free, -1, recording.brief.gil[low:high][at])
            amount[step] = work[at]
        amount[self.main(self._gaps)] = blocked
        amount[self.begin[self._late]] = recording.start[self._late] - recording.trace.begin
        for low, high in in_parts(len(self._leader)):
            work = recording.work_of(self._continue[low:high])
            np.add.at(amount, self.main(self._leader[low:high]), work)
        return kind, gil, amount


def _index(most: int) -> type[np.int32 | np.int64]:
    return np.int32 if most <= np.iinfo(np.int32).max else np.int64

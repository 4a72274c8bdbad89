"""The anatomy of waits: what each was spent on, in parts that add up to it exactly.

While a thread waits, at each moment another thread holds the GIL or nobody does. A hold counts as *asked*
from the moment when the first drop request to it was made, by this waiter or by another: the request is one
flag of the holder's, and a waiter that comes later finds it set. A wait from `start` to `end` consists of

politeness
    From the start until the hold that the waiter met is asked, or is released if that is earlier: nobody has
    asked for anything yet. 0 if it was asked before. The stamp of an ask is from before the waiter looks: if
    nobody held the GIL just then, it met the hold that began next.
response
    All time in which a hold goes on although it is asked: how long the holder's code takes to reach a check,
    or to return from a C call that keeps the GIL.
handoff
    From the last release within the wait to the acquire that ends it: the wake-up of the waiter. 0 if it does
    not end in an acquire.
overtaken
    All else since the first release: gaps after which somebody else took the GIL, the part of later holds
    that is not asked, and, in a wait that did not end in an acquire, what came after the last release.
unknown
    Time in which it is not known whether anybody held it: before the first event of a GIL that was held when
    the recording began, and where events were lost.

`stalled_*` is how much of a part the holder had the GIL, could go on and had no CPU (priority inversion),
`asleep_*` how much of it the holder slept with the GIL; of a handoff nobody is the holder. Both are 0 where
the scheduler was not recorded.

A timeout after which the waiter sees that the GIL changed hands makes no request (CPython: `switch_number`).
Which did is worked out in `requests`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from ...arrays import Int32s, Int64s
from ...states import State
from .anatomy_clock import GilClock, StallClock

PARTS: Final = ("politeness", "response", "overtaken", "handoff", "unknown")
"""The parts of a wait. There may be several responses, each followed by a release that somebody else took."""

_OF_HOLDERS: Final = ("politeness", "response", "overtaken")
"""The parts in which somebody holds the GIL."""

STALLED: Final = tuple(f"stalled_{part}" for part in _OF_HOLDERS)
ASLEEP: Final = tuple(f"asleep_{part}" for part in _OF_HOLDERS)

WITHOUT_CPU: Final = {State.STALLED: "stalled", State.HOLDING_ASLEEP: "asleep"}
"""The states of a holder that does not run, and what their columns begin with."""

ANATOMY: Final = np.dtype([(name, "<i8") for name in (*PARTS, *STALLED, *ASLEEP)])
"""The parts of waits in ns, aligned with the WAIT table: row i is about wait i."""


def parts_of_waits(
    clock: GilClock, off: Mapping[State, StallClock], start: Int64s, end: Int64s, taker: Int32s
) -> dict[str, Int64s]:
    """Return the parts of waits for one GIL by their names in ANATOMY.

    `taker`: the thread, if it got the GIL, else -1. `off`: for states in `WITHOUT_CPU` when the holder was in
    it; what is not there is not in the result.
    """
    parts = _parts(clock, start, end, taker)
    met, _ = _met(clock, start, end, clock.position(start))
    polite_until = np.clip(clock.asked[met], start, end)
    for state, clock_of in off.items():
        parts |= _of_holder(WITHOUT_CPU[state], clock_of, start, polite_until, end, parts)
    return parts


def _parts(clock: GilClock, start: Int64s, end: Int64s, taker: Int32s) -> dict[str, Int64s]:
    """Return the parts of waits; `taker`: the thread, if it got the GIL, else -1."""
    first, last = clock.position(start), clock.position(end)
    met, since = _met(clock, start, end, first)
    politeness = np.maximum(np.minimum(clock.asked[met], end) - since, 0)
    response = clock.held_asked(end, last) - clock.held_asked(start, first)
    unknown = clock.time_unknown(end, last) - clock.time_unknown(start, first)
    handoff = _handoff(clock, start, end, taker, last)
    overtaken = end - start - politeness - response - unknown - handoff
    return {
        "politeness": politeness,
        "response": response,
        "overtaken": overtaken,
        "handoff": handoff,
        "unknown": unknown,
    }


def _met(clock: GilClock, start: Int64s, end: Int64s, first: Int64s) -> tuple[Int64s, Int64s]:
    """Return the hold that each waiter met, and since when it was polite to it.

    `first` is the position of the start. In what is not known of nobody can be said to have been polite.
    """
    following = np.minimum(first + 1, len(clock.start) - 1)
    free = (start >= clock.end[first]) & (following > first) & (clock.start[following] < end)
    met = np.where(free, following, first)
    since = np.where(free & clock.unknown[first], clock.start[following], start)
    return met, since


def _handoff(clock: GilClock, start: Int64s, end: Int64s, taker: Int32s, last: Int64s) -> Int64s:
    """Return how long it took from the release before the waits' own acquires."""

    def is_own(at: Int64s) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        own: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = (clock.start[at] == end) & (
            clock.thread[at] == taker
        )
        return own & (taker >= 0)

    own = is_own(last)
    other = np.flatnonzero(~own & (taker >= 0))
    if len(other):  # of two holds that begin at one time, the first
        earlier = last.copy()
        earlier[other] = np.maximum(np.searchsorted(clock.start, end[other]), 0)
        last = np.minimum(earlier, len(clock.start) - 1)
        own = is_own(last)
    before = np.maximum(last - 1, 0)
    own &= ~clock.unknown[before]
    handoff: Int64s = np.where(own, end - np.maximum(start, clock.end[before]), 0)
    return handoff


def _of_holder(
    word: str,
    clock: StallClock,
    start: Int64s,
    polite_until: Int64s,
    end: Int64s,
    parts: Mapping[str, Int64s],
) -> dict[str, Int64s]:
    """Return for how long the holder was in a state in these parts of waits."""
    until = clock.unasked(polite_until)
    found = {
        "politeness": until - clock.unasked(start),
        "response": clock.asked_for(end) - clock.asked_for(start),
        "overtaken": clock.unasked(end) - until,
    }
    # Only in a damaged trace, where holds overlap, can it be more than the part.
    return {f"{word}_{part}": np.minimum(time, parts[part]) for part, time in found.items()}

"""Events in columns, as the fold takes them: a part of a trace, a salvaged one, one of many streams."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, Protocol

import numpy as np

from ..arrays import Bools, Bytes, Int64s, Table, UInt16s, UInt32s
from ..reader.format import EVENT_RECORD, Event

_LOST: Final = 0
_BEGINS: Final = (Event.GIL_WAIT, Event.GIL_ACQUIRED, Event.GIL_RELEASED, Event.GIL_ABANDONED)
_ASKS: Final = (Event.GIL_WAIT, Event.GIL_ACQUIRED)
_SEEN: Final = (*_BEGINS, Event.GIL_TIMEOUT, Event.GIL_DROP_REQUESTED, Event.THREAD_EXIT)
_AT_ONCE: Final = 1 << 18


class Given(Protocol):
    """Events grouped by thread: `tables.columns.Columns`."""

    @property
    def time(self) -> Int64s: ...

    @property
    def kind(self) -> Bytes: ...

    @property
    def gil(self) -> UInt16s: ...

    @property
    def arg(self) -> UInt32s: ...

    @property
    def first(self) -> Int64s: ...

    @property
    def begin(self) -> Int64s: ...

    @property
    def end(self) -> Int64s: ...

    @property
    def seen_alive(self) -> Bools: ...

    @property
    def ahead(self) -> UInt32s | None: ...


def has_gaps(given: Given) -> bool:
    """Return whether events are missing: LOST among others, not alone as where nothing was ever seen."""
    if (given.first[1:] == given.first[:-1]).any():
        return True
    opening = given.kind[given.first[:-1]]
    if not np.isin(opening, (_LOST, Event.THREAD_START)).all():
        return True
    lost = np.flatnonzero(given.kind == _LOST)
    thread = np.searchsorted(given.first, lost, "right") - 1
    return bool((given.first[thread + 1] - given.first[thread] > 1).any())


def records(given: Given) -> Table:
    """Return the events as the recorder writes them."""
    table = np.empty(len(given.time), EVENT_RECORD)
    table["timestamp"], table["id"], table["gil"], table["arg"] = given.time, given.kind, given.gil, given.arg
    return table


def unknown_until(given: Given) -> list[int]:
    """Return until when it is not known what each thread does, -1: it is from its begin on.

    As `tables.gil.intervals.make_intervals` has it.
    """
    forks = np.flatnonzero(given.kind == Event.PROCESS_FORK)
    forked = np.diff(np.searchsorted(forks, given.first)) > 0
    bounds = pairwise(given.first.tolist())
    return [
        _unknown_until(given, thread, first, last, bool(forked[thread]))
        for thread, (first, last) in enumerate(bounds)
    ]


def _unknown_until(given: Given, thread: int, first: int, last: int, forked: bool) -> int:
    begin, end, alive = int(given.begin[thread]), int(given.end[thread]), bool(given.seen_alive[thread])
    if first < last and given.kind[first] == _LOST:
        return end if alive else -1
    seen = next(_where(given, first, last, _SEEN), -1)
    kind = int(given.kind[seen]) if seen >= 0 else 0
    asks = kind in _ASKS
    if not (alive or forked or not (asks or kind in (0, Event.THREAD_EXIT))):
        return -1
    if asks and int(given.time[seen]) == begin:
        return -1
    known = next(_where(given, first + 1, last, (*_BEGINS, Event.THREAD_START)), -1)
    return end if known < 0 else int(given.time[known])


def _where(given: Given, first: int, last: int, kinds: tuple[int, ...]) -> Iterator[int]:
    """Yield where the events of some kinds are."""
    for begin in range(first, last, _AT_ONCE):
        found = np.isin(given.kind[begin : min(begin + _AT_ONCE, last)], kinds)
        yield from (begin + np.flatnonzero(found)).tolist()

"""Events → what the program said of itself: marks, and spans with their ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..arrays import Int32s, Int64s, Table, UInt32s, distinct
from ..dtypes import MARK, SPAN
from ..reader.format import Event
from ..reader.records import Texts
from .columns import SideColumns


@dataclass(frozen=True, eq=False)
class Said:
    """What a program said of itself: MARK and SPAN tables; `names` is what their column `name` is about."""

    names: tuple[str, ...]
    marks: Table = field(repr=False)
    spans: Table = field(repr=False)


NOTHING_SAID = Said((), np.empty(0, MARK), np.empty(0, SPAN))


def said(side: SideColumns, ends: Int64s, processes: Sequence[int], texts: Sequence[Texts]) -> Said:
    """Return the marks and spans of a trace.

    Parameters
    ----------
    ends : ndarray of int64
        When the threads' lives end.
    processes : sequence of int
        The threads' processes.
    texts : sequence of Texts
        For each process what its events call by number.
    """
    about = np.flatnonzero((side.kind >= Event.MARK) & (side.kind <= Event.SPAN_END))
    if not len(about):
        return NOTHING_SAID
    names: dict[str, int] = {}
    lookups: list[dict[int, int]] = []
    of = np.array(processes, np.int64)
    process = of[side.thread_of(about)]
    for index, text in enumerate(texts):
        mine = about[(process == index) & (side.kind[about] != Event.SPAN_END)]
        called = text.of(distinct(side.arg[mine]).tolist())
        lookups.append({number: names.setdefault(each, len(names)) for number, each in called.items()})

    def named(at: Int64s, thread: Int64s) -> Int32s:
        return _names(side.arg[at], of[thread], lookups)

    at = about[side.kind[about] == Event.MARK]
    marks = np.empty(len(at), MARK)
    marks["time"], marks["thread"] = side.time[at], side.thread_of(at)
    marks["name"] = named(at, side.thread_of(at))

    at = about[side.kind[about] == Event.SPAN_BEGIN]
    thread = side.thread_of(at)
    begin, end = _matched(side, at, about[side.kind[about] == Event.SPAN_END])
    spans = np.empty(len(at), SPAN)
    spans["start"], spans["thread"], spans["name"] = side.time[at], thread, named(at, thread)
    until = np.maximum(ends[thread], side.time[at])
    until[begin] = side.time[end]
    spans["duration"] = until - spans["start"]
    spans["unfinished"] = True
    spans["unfinished"][begin] = False
    spans["depth"] = _depth(side, at, np.sort(end))
    return Said(tuple(names), marks, spans)


def _matched(side: SideColumns, begins: Int64s, ends: Int64s) -> tuple[Int64s, Int64s]:
    """Return which of the begins have an end, and where that is: it says how many spans began in between.

    An end whose begin is not in the trace (it is older than what was kept) is left out.
    """
    at = np.searchsorted(begins, ends) - 1 - side.arg[ends].astype(np.int64)
    good = at >= 0
    good[good] = side.thread_of(begins[at[good]]) == side.thread_of(ends[good])
    begin, first = np.unique(at[good], return_index=True)
    return begin, ends[good][first]


def _depth(side: SideColumns, begins: Int64s, ends: Int64s) -> Int64s:
    """Return how many spans of its thread are open at each begin."""
    first = side.first[side.thread_of(begins)]
    begun = np.arange(len(begins)) - np.searchsorted(begins, first)
    ended = np.searchsorted(ends, begins) - np.searchsorted(ends, first)
    depth: Int64s = begun - ended
    return depth


def _names(number: UInt32s, process: Int64s, lookups: Sequence[Mapping[int, int]]) -> Int32s:
    """Return the names that numbers of processes mean; -1: none."""
    found = np.full(len(number), -1, np.int32)
    for index, lookup in enumerate(lookups):
        mine = np.flatnonzero(process == index)
        if len(mine) and lookup:
            keys = np.array(sorted(lookup), np.int64)
            values = np.array([lookup[key] for key in keys.tolist()], np.int32)
            place = np.minimum(np.searchsorted(keys, number[mine]), len(keys) - 1)
            known = keys[place] == number[mine]
            found[mine[known]] = values[place[known]]
    return found


def cut_said(said: Said, threads: Sequence[int], begin: int, end: int) -> Said:
    """Return what was said in [begin, end) by these threads, numbered anew; of a span the part within."""
    if said is NOTHING_SAID:
        return said
    size = 1 + max((int(table["thread"].max(initial=-1)) for table in (said.marks, said.spans)), default=-1)
    number = np.full(max(size, max(threads, default=-1) + 1), -1, np.int32)
    number[list(threads)] = np.arange(len(threads))
    marks, spans = said.marks, said.spans
    marks = marks[(marks["time"] >= begin) & (marks["time"] < end) & (number[marks["thread"]] >= 0)]
    until = spans["start"] + spans["duration"]
    inside = (spans["start"] < end) & (until > begin) & (number[spans["thread"]] >= 0)
    spans, until = spans[inside], until[inside]
    marks["thread"], spans["thread"] = number[marks["thread"]], number[spans["thread"]]
    spans["start"] = np.maximum(spans["start"], begin)
    spans["unfinished"] |= until > end
    spans["duration"] = np.minimum(until, end) - spans["start"]
    return Said(said.names, marks, spans)


def span_rows(spans: Table) -> Int32s:
    """Return a row for each span, sorted by (thread, start): none of a thread overlap in one.

    The first that is free: one inside of another is below it, and coroutines' are beside each other.
    """
    found = np.zeros(len(spans), np.int32)
    thread, free = -1, [0]
    columns = (spans[name].tolist() for name in ("thread", "start", "duration"))
    for at, (of, start, duration) in enumerate(zip(*columns, strict=True)):
        if of != thread:
            thread, free = of, []
        row = next((row for row, since in enumerate(free) if since <= start), len(free))
        if row == len(free):
            free.append(0)
        free[row] = start + duration
        found[at] = row
    return found

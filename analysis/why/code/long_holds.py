"""Long holds, waited for or not: what would hurt if somebody waited.

A hold is long that lasts longer than a switch interval, after which a thread that waits asks for the lock.
Most are harmless: Python lets go between its instructions once it is asked, and nobody asked. What hurts is a
*piece*: a call that comes back late, and lets go no sooner. Samples show it by being at one instruction of
one frame, again and again: nearly all samples of a hold, or a row of them that chance does not make. (A loop
around a call so short that nothing else is ever met looks the same.)

    chance of a row of n among the N samples of a hold <= N p^n, p: how often a sample at this instruction is
    followed by one of the same, Laplace's rule of succession: (followed so + 1) / (followed + 2), in all
    other rows of that instruction in the hold. Where p is 0.9 or more all its rows are pieces.

Whose hold it is the samples say, else the frame at its end, which is recorded where somebody waited then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ...arrays import Bools, Int32s, Int64s, Table, without
from ...fold.one_pass import OfGil
from ...measures.switch_interval import DEFAULT_INTERVAL
from ...model import Gil
from ...tables.trace import Trace
from .charges import overlap, same_code

LONG_HOLD: Final = np.dtype(
    [
        ("code", "<i4"),  # index in Trace.codes; -1: nothing is known of it
        ("line", "<i4"),
        ("holds", "<i8"),  # pieces, and long holds without one that were mostly this line's
        ("pieces", "<i8"),
        ("time", "<i8"),  # ns: how long they lasted, together
        ("waited", "<i8"),  # ns of it in which at least one thread waited
        ("samples", "<i8"),
        ("longest", "<i8"),  # ns, of the pieces; of all where there is none
        ("longest_at", "<i8"),  # when that one began
        ("frame", "<i4"),  # in which it was, index in Trace.frames; -1: not known
        ("thread", "<i4"),  # who held it
    ],
    align=True,
)
"""Lines and their long holds, those with the longest pieces first."""

_MOSTLY: Final = 0.9
"""Share of a hold's samples at one instruction from which on the hold is a piece."""

_FEWEST: Final = 3
"""Samples that show it."""

_CHANCE: Final = 0.001
"""A row of samples that is less likely than this is a piece."""


def long_holds(trace: Trace, limit: int | None = None) -> Table:
    """Return the lines of code that held a GIL for long.

    Parameters
    ----------
    limit : int, optional
        ns from which on a hold is long; that GIL's switch interval if it isn't given.

    Returns
    -------
    LONG_HOLD table
    """
    folded = trace.folded if limit is None else None
    found = [
        _of_gil(trace, gil, limit) if folded is None else _of_fold(trace, gil, folded.gils[gil.index])
        for gil in trace.gils
    ]
    rows = np.concatenate(found) if found else np.empty(0, LONG_HOLD)
    if not len(rows):
        return rows
    every, number = np.unique(np.stack([rows["code"], rows["line"]], axis=1), axis=0, return_inverse=True)
    number = number.reshape(-1)
    table = np.zeros(len(every), LONG_HOLD)
    order = np.lexsort((-rows["longest_at"], rows["longest"], rows["pieces"]))
    table[number[order]] = rows[order]  # the last one stays: the longest piece
    for name in ("holds", "pieces", "time", "waited", "samples"):
        table[name] = 0
        np.add.at(table[name], number, rows[name])
    return table[np.lexsort((table["line"], table["code"], -table["longest"], table["pieces"] == 0))]


def _of_gil(trace: Trace, gil: Gil, limit: int | None) -> Table:
    """Return the pieces of a GIL's long holds, and those without one: a row each."""
    limit = limit or trace.switch_intervals[gil.index] or DEFAULT_INTERVAL
    holds = trace.holds(gil)
    length = holds.released - holds.acquired
    samples = trace.samples[trace.samples["gil"] == gil.index]
    samples = samples[length[samples["hold"]] > limit]
    rows = _Rows.of(samples["hold"], samples["frame"], samples["time"], len(length))
    long = np.flatnonzero(length > limit)
    found = _Found(
        holds.acquired[long],
        holds.released[long],
        holds.thread[long],
        _usual_frames(samples["hold"], samples["frame"], trace.release_frames(gil))[long],
        np.bincount(samples["hold"], minlength=len(length))[long],
    )
    contended = trace.contended(gil)

    def waited(hold: Int64s, begin: Int64s, until: Int64s, whole: Bools) -> Int64s:
        return overlap(*contended, begin, until)

    return _table(trace, rows.in_holds(long), found, limit, waited)


def _of_fold(trace: Trace, gil: Gil, of: OfGil) -> Table:
    """Return the same by one pass; long holds without samples are summed up by their code already."""
    limit = trace.switch_intervals[gil.index] or DEFAULT_INTERVAL
    number, acquired, released, thread, end, contended = of.long_sampled.T
    records = trace.sampled[gil.process]
    records = records[records["gil"] == gil.number]
    hold = np.minimum(np.searchsorted(number, of.sample_hold), max(len(number) - 1, 0))
    mine = np.flatnonzero(number[hold] == of.sample_hold) if len(number) else hold[:0]
    hold = hold[mine]
    frame = trace.stacks.of(gil.process, records["frame"][mine])
    time = records["timestamp"][mine].astype(np.int64)
    ends = trace.stacks.of(gil.process, end.astype(np.uint32))
    found = _Found(
        acquired,
        released,
        thread.astype(np.int32),
        _usual_frames(hold, frame, ends),
        np.bincount(hold, minlength=len(number)),
    )
    clock = of.sample_contended[mine]

    def waited(hold: Int64s, begin: Int64s, until: Int64s, whole: Bools) -> Int64s:
        """Return for how long somebody waited: in a whole hold, or from one of its samples to another."""
        result: Int64s = contended[hold]
        part = np.flatnonzero(~whole)
        since, to = np.searchsorted(time, begin[part]), np.searchsorted(time, until[part])
        result[part] = clock[to] - clock[since]
        return result

    rows = _Rows.of(hold, frame, time, len(number))
    others = np.zeros(len(of.long_holds), LONG_HOLD)
    frames = trace.stacks.of(gil.process, of.long_holds[:, 0].astype(np.uint32))
    for column, name in enumerate(("time", "holds", "longest", "longest_at", "waited", "thread"), 1):
        others[name] = of.long_holds[:, column]
    others["frame"] = frames
    _name_lines(trace, others)
    if not len(number):
        return others
    return np.concatenate([_table(trace, rows, found, limit, waited), others])


@dataclass(frozen=True)
class _Found:
    """Long holds by column; `usual` is the frame of most of their samples, or at their end."""

    acquired: Int64s
    released: Int64s
    thread: Int32s
    usual: Int32s
    samples: Int64s


def _table(
    trace: Trace,
    rows: _Rows,
    holds: _Found,
    limit: int,
    waited: Callable[[Int64s, Int64s, Int64s, Bools], Int64s],
) -> Table:
    piece = np.flatnonzero(rows.whole | (rows.unlikely & (rows.end - rows.begin > limit)))
    unsampled = without(np.arange(len(holds.acquired)), rows.hold[piece])
    whole = rows.whole[piece]
    hold = np.concatenate([rows.hold[piece], unsampled])
    begin = np.where(whole, holds.acquired[rows.hold[piece]], rows.begin[piece])
    end = np.where(whole, holds.released[rows.hold[piece]], rows.end[piece])
    begin = np.concatenate([begin, holds.acquired[unsampled]])
    end = np.concatenate([end, holds.released[unsampled]])
    table = np.zeros(len(hold), LONG_HOLD)
    table["holds"], table["pieces"][: len(piece)] = 1, 1
    table["thread"] = holds.thread[hold]
    table["longest_at"] = begin
    table["time"] = table["longest"] = end - begin
    table["waited"] = waited(hold, begin, end, np.append(whole, np.ones(len(unsampled), bool)))
    table["samples"] = np.concatenate([rows.count[piece], holds.samples[unsampled]])
    table["frame"] = np.concatenate([rows.frame[piece], holds.usual[unsampled]])
    _name_lines(trace, table)
    return table


def _name_lines(trace: Trace, table: Table) -> None:
    """Fill in code and line of each row's frame."""
    known = table["frame"] >= 0
    table["code"] = -1
    table["code"][known] = same_code(trace.codes)[trace.frames["code"][table["frame"][known]]]
    table["line"][known] = trace.frames["line"][table["frame"][known]]


@dataclass(frozen=True)
class _Rows:
    """Samples of one hold at one instruction, one after the other, by column.

    Where nearly all samples of a hold are at one instruction, its first row stands for all of them.
    """

    hold: Int64s
    frame: Int32s
    begin: Int64s
    end: Int64s
    count: Int64s
    whole: Bools
    unlikely: Bools

    def in_holds(self, long: Int64s) -> _Rows:
        """Number holds as `long` does, which has all of them."""
        return replace(self, hold=np.searchsorted(long, self.hold))

    @classmethod
    def of(cls, hold: Int64s, frame: Int32s, time: Int64s, holds: int) -> _Rows:
        """Find the rows in samples, in time order; `holds` is how many holds there are."""
        first = np.flatnonzero(
            (np.diff(hold, prepend=-1) != 0) | (np.diff(frame, prepend=-2) != 0) if len(hold) else hold > 0
        )
        count = np.diff(first, append=len(hold))
        of_hold, of_frame = hold[first], frame[first]
        every = np.bincount(hold, minlength=holds)[of_hold]
        pairs, pair = np.unique(np.stack([of_hold, of_frame], axis=1), axis=0, return_inverse=True)
        pair = pair.reshape(-1)
        same = np.bincount(pair, count, len(pairs)).astype(np.int64)[pair]
        leads = np.zeros(len(first), bool)
        leads[np.unique(pair, return_index=True)[1]] = True
        known = of_frame >= 0
        mostly = known & (same >= _MOSTLY * every)
        rows_of_pair = np.bincount(pair, minlength=len(pairs))[pair]
        others = same - count
        stays = (others - (rows_of_pair - 1) + 1) / (others + 2)
        return cls(
            of_hold,
            of_frame,
            time[first],
            time[first + count - 1],
            np.where(mostly, same, count),
            mostly & leads & (same >= _FEWEST),
            known & ~mostly & (count >= _FEWEST) & ((stays >= _MOSTLY) | (every * stays**count < _CHANCE)),
        )


def _usual_frames(hold: Int64s, frame: Int32s, ends: Int32s) -> Int32s:
    """Return for each hold the frame that was sampled most, else that at its end."""
    frames = ends.copy()
    if len(hold):
        pairs, often = np.unique(np.stack([hold, frame], axis=1), axis=0, return_counts=True)
        order = np.argsort(often, kind="stable")  # the last of a hold is the most frequent
        frames[pairs[order, 0]] = pairs[order, 1]
    return frames

"""Blame by code: each second of waiting charged to the Python code that held the lock.

A hold is charged, for every thread that waits during it, with the part of that wait that lies in the hold.
So the charges of all holds, and the time in waits in which nobody held the lock, sum to the total wait
exactly. Which code they are charged to is what samples of the hold say, or the innermost frame at its end
where there are none: `portions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ...arrays import Bools, Int32s, Int64s, Table, distinct
from ...fold.one_pass import Folded
from ...model import Code, Gil, Process
from ...tables.trace import Trace
from .charges_of_fold import FoldCharged, charged_in_fold
from .portions import Portions, portions

CODE_BLAME: Final = np.dtype(
    [
        ("code", "<i4"),  # index in Trace.codes; -1: holds whose code was not recorded
        ("line", "<i4"),
        ("waited", "<i8"),  # ns that threads waited while it ran, summed over the threads
        ("contended", "<i8"),  # ns of it in which at least one thread waited
        ("at_ends", "<i8"),  # the part of waited that is known by the ends of holds alone
        ("samples", "<i8"),  # what the other part is known by
        ("holds", "<i8"),  # in which it was sampled, or that ended there
        ("requested", "<i8"),  # the part of them that ended with an answer to a drop request
        ("longest", "<i8"),  # ns: the most that one of them was contended
        ("longest_at", "<i8"),  # when that hold was released
        ("slowest", "<i8"),  # ns: the most that one of them went on after a drop request; 0: none was made
        ("threads", "<i4"),  # how many different threads waited
    ],
    align=True,
)
"""Lines and what they are charged with, the worst first."""

WAITING_CODE: Final = np.dtype(
    [
        ("code", "<i4"),  # index in Trace.codes; -1: not recorded
        ("line", "<i4"),
        ("waited", "<i8"),  # ns
        ("waits", "<i8"),
        ("longest", "<i8"),  # ns
        ("longest_at", "<i8"),  # when that wait began
    ],
    align=True,
)
"""Lines and how long they waited, the worst first."""


@dataclass(frozen=True, eq=False)
class CodeBlame:
    """Who made others wait, by code.

    Attributes
    ----------
    lines : CODE_BLAME table
        Holds whose code was not recorded are one row more, with code -1, wherever its charge puts it.
    functions : CODE_BLAME table
        The same by function; `line` is the one that is charged with most.
    waiting : WAITING_CODE table
    total : int
        ns of all waits.
    nobody : int
        ns of them in which nobody held the lock, as far as was seen: handoffs.
    of_frame : ndarray of int64, shape (frames,)
        What each frame of `Trace.frames` is charged with as the innermost one, ns.
    """

    lines: Table
    functions: Table
    waiting: Table
    total: int
    nobody: int
    of_frame: Int64s = field(repr=False)

    @property
    def known(self) -> int:
        """What was charged to code that is known, ns."""
        return int(self.of_frame.sum())


def code_blame(trace: Trace, process: Process | None = None) -> CodeBlame:
    """Charge all waits of a trace to code; or those for one process's GILs."""
    gils = [gil for gil in trace.gils if process is None or gil.process == process.index]
    return _from_tables(trace, gils) if trace.folded is None else _from_fold(trace, trace.folded, gils)


def _from_fold(trace: Trace, folded: Folded, gils: Sequence[Gil]) -> CodeBlame:
    lines = _Lines(trace)
    charged = [charged_in_fold(trace, gil, folded.gils[gil.index], lines.of) for gil in gils]
    processes = {gil.process for gil in gils}
    of_frame = np.zeros(len(trace.frames), np.int64)
    for each in charged:
        each.add_to_frames(of_frame)
    total = sum(item.waits.total for gil in gils for item in folded.of_gil(gil.index))
    by_line = _table_of_fold(lines, lines.code, lines.line, charged)
    functions, of_line = np.unique(lines.code, return_inverse=True)
    by_function = _table_of_fold(_Functions(lines, of_line), functions, np.zeros_like(functions), charged)
    return CodeBlame(
        lines=_worst_first(by_line[by_line["holds"] > 0]),
        functions=_with_worst_lines(by_function, by_line, of_line),
        waiting=_waiting_of_fold(lines, trace, folded, processes),
        total=total,
        nobody=total - sum(int(each.parts.waited.sum()) for each in charged),
        of_frame=of_frame,
    )


def _table_of_fold(
    numbers: _Lines | _Functions, code: Int32s, line: Int32s, charged: list[FoldCharged]
) -> Table:
    """Return a row for each number, also for those that are charged with nothing."""
    size = len(code)
    table = np.zeros(size, CODE_BLAME)
    table["code"], table["line"] = code, line
    for each in charged:
        sums = each.sums(numbers.of, size)
        for name in ("waited", "contended", "at_ends", "samples", "holds", "requested", "threads"):
            table[name] += sums[name]
        np.maximum(table["slowest"], sums["slowest"], out=table["slowest"])
        _longest(table, *each.lengths(numbers.of))
    return table


def _waiting_of_fold(lines: _Lines, trace: Trace, folded: Folded, processes: set[int]) -> Table:
    table = np.zeros(len(lines.code), WAITING_CODE)
    table["code"], table["line"] = lines.code, lines.line
    rows = folded.waiting[[process in processes for process in folded.waiting[:, 0].tolist()]]
    frame = np.full(len(rows), -1, np.int32)
    for process in range(len(trace.processes)):
        mine = np.flatnonzero((rows[:, 0] == process) & (rows[:, 1] >= 0))
        frame[mine] = trace.stacks.of(process, rows[mine, 1].astype(np.uint32))
    line = lines.of(frame)
    np.add.at(table["waited"], line, rows[:, 2])
    np.add.at(table["waits"], line, rows[:, 3])
    _longest(table, line, rows[:, 4], rows[:, 5])
    return _worst_first(table[table["waits"] > 0])


def _from_tables(trace: Trace, gils: Sequence[Gil]) -> CodeBlame:
    lines = _Lines(trace)
    charged = [_charge(trace, gil, lines) for gil in gils]
    of_frame = np.zeros(len(trace.frames), np.int64)
    for each in charged:
        known = each.portions.frame >= 0
        np.add.at(of_frame, each.portions.frame[known], each.portions.waited[known])
    some = len(gils) < len(trace.gils)
    mine = np.isin(trace.waits["gil"], [gil.index for gil in gils]) if some else slice(None)
    total = int(trace.waits["duration"][mine].sum())
    by_line = _blame_table(lines, lines.code, lines.line, charged, trace)
    return CodeBlame(
        lines=_worst_first(by_line[by_line["holds"] > 0]),
        functions=_by_function(lines, by_line, charged, trace),
        waiting=_waiting_table(lines, trace, mine),
        total=total,
        nobody=total - sum(int(each.waited.sum()) for each in charged),
        of_frame=of_frame,
    )


def _by_function(lines: _Lines, by_line: Table, charged: list[_Charged], trace: Trace) -> Table:
    functions, of_line = np.unique(lines.code, return_inverse=True)
    table = _blame_table(_Functions(lines, of_line), functions, np.zeros_like(functions), charged, trace)
    return _with_worst_lines(table, by_line, of_line)


def _with_worst_lines(table: Table, by_line: Table, of_line: Int64s) -> Table:
    """Return functions, each with the line that is charged with most."""
    worst = np.lexsort((by_line["line"], -by_line["waited"]))[::-1]  # the first of each is written last
    table["line"][of_line[worst]] = by_line["line"][worst]
    return _worst_first(table[table["holds"] > 0])


def same_code(codes: tuple[Code, ...]) -> Int32s:
    """Return for each code the first one that is the same, in whatever process: name, file and line."""
    first: dict[tuple[str, str, int], int] = {}
    return np.array(
        [first.setdefault((code.name, code.file, code.first_line), code.index) for code in codes], np.int32
    )


class _Lines:
    """Numbers for lines: (code, line) of each frame, the same in all processes; number 0 is: not recorded."""

    def __init__(self, trace: Trace) -> None:
        frames = trace.frames
        code = same_code(trace.codes)[frames["code"]] if len(frames) else np.zeros(0, np.int32)
        pairs = np.stack([code, frames["line"]], axis=1).reshape(-1, 2)
        every, number = np.unique(pairs, axis=0, return_inverse=True)
        self.code = np.concatenate([[-1], every[:, 0]]).astype(np.int32)
        self.line = np.concatenate([[0], every[:, 1]]).astype(np.int32)
        self._of_frame = np.concatenate([number.reshape(-1) + 1, [0]])  # frame -1 is the last one

    def of(self, frame: Int32s) -> Int64s:
        return self._of_frame[frame]


class _Functions:
    """The same numbers for functions."""

    def __init__(self, lines: _Lines, of_line: Int64s) -> None:
        self._lines = lines
        self._of_line = of_line

    def of(self, frame: Int32s) -> Int64s:
        numbers: Int64s = self._of_line[self._lines.of(frame)]
        return numbers


@dataclass(frozen=True)
class _Charged:
    """The holds of a GIL during which somebody waited."""

    gil: Gil
    acquired: Int64s
    released: Int64s
    waited: Int64s
    contended: Int64s
    requested: Bools
    response: Int64s
    portions: Portions


def _charge(trace: Trace, gil: Gil, lines: _Lines) -> _Charged:
    holds = trace.holds(gil)
    intervals, waiting = trace.intervals_by_column, trace.waiting(gil)
    start = intervals.start[waiting]
    waited = overlap(start, start + intervals.duration[waiting], holds.acquired, holds.released)
    some = np.flatnonzero(waited)
    contended = overlap(*trace.contended(gil), holds.acquired[some], holds.released[some])
    ends = trace.release_frames(gil)[some]
    samples = trace.samples[(trace.samples["gil"] == gil.index) & trace.samples["ran"]]
    return _Charged(
        gil,
        holds.acquired[some],
        holds.released[some],
        waited[some],
        contended,
        holds.requested[some],
        np.maximum(holds.released[some] - trace.first_requests(gil)[some], 0),  # NEVER is after all times
        portions(samples, some, ends, lines.of(ends), holds.thread[some], waited[some], contended),
    )


def overlap(start: Int64s, end: Int64s, since: Int64s, until: Int64s) -> Int64s:
    """Return for each stretch since … until how much of the stretches start … end lies in it, summed, ns.

    With W(t) = sum over the stretches of the part before t: W(until) - W(since). W(t) is
    n t - (sum of the n starts before t) - m t + (sum of the m ends before t). These products may wrap in
    64 bits; their difference does not, and is right.
    """
    start, end = np.sort(start, kind="stable"), np.sort(end, kind="stable")
    starts = np.concatenate([[0], np.cumsum(start)])
    ends = np.concatenate([[0], np.cumsum(end)])

    def before(time: Int64s) -> Int64s:
        begun, ended = np.searchsorted(start, time), np.searchsorted(end, time)
        sums: Int64s = (begun - ended) * time - starts[begun] + ends[ended]
        return sums

    lies_in: Int64s = before(until) - before(since)
    return lies_in


def _blame_table(
    numbers: _Lines | _Functions, code: Int32s, line: Int32s, charged: list[_Charged], trace: Trace
) -> Table:
    """Return a row for each number, also for those that are charged with nothing."""
    size = len(code)
    table = np.zeros(size, CODE_BLAME)
    table["code"], table["line"] = code, line
    for each in charged:
        pieces = each.portions
        mine = numbers.of(pieces.frame)
        table["threads"] += _waiters(trace, each, mine, size)
        by_end = pieces.time < 0
        table["samples"] += np.bincount(mine[~by_end], minlength=size)
        for name, amount, which in (
            ("waited", pieces.waited, slice(None)),
            ("contended", pieces.contended, slice(None)),
            ("at_ends", pieces.waited, by_end),
        ):
            np.add.at(table[name], mine[which], amount[which])
        # A hold in which a line was sampled often is one hold.
        seen = distinct(pieces.hold * size + mine)
        hold, mine = seen // size, seen % size
        table["holds"] += np.bincount(mine, minlength=size)
        table["requested"] += np.bincount(mine[each.requested[hold]], minlength=size)
        np.maximum.at(table["slowest"], mine, each.response[hold])
        _longest(table, mine, each.contended[hold], each.released[hold])
    return table


def _longest(table: Table, line: Int64s, value: Int64s, time: Int64s) -> None:
    """Fill in the largest value of each line, and the time of that; the first one of several."""
    before = table["longest"].copy()
    np.maximum.at(table["longest"], line, value)
    worst = np.flatnonzero((value == table["longest"][line]) & (value > before[line]))
    worst = worst[np.argsort(-time[worst], kind="stable")]  # the first one is written last
    table["longest_at"][line[worst]] = time[worst]


def _worst_first(table: Table) -> Table:
    return table[np.lexsort((table["line"], table["code"], -table["waited"]))]


def _waiters(trace: Trace, charged: _Charged, line: Int64s, size: int) -> Int64s:
    """Count the threads that waited for each line: shape (size,).

    A wait overlaps holds that follow each other, so those of a thread's waits are ranges of holds; and of
    samples.
    """
    waits = trace.waits[trace.waits["gil"] == charged.gil.index]
    pieces = charged.portions
    at_end = np.flatnonzero(pieces.time < 0)
    sampled = np.flatnonzero(pieces.time >= 0)
    sampled = sampled[np.argsort(pieces.time[sampled], kind="stable")]
    end_of = pieces.hold[at_end]
    count = np.zeros(size, np.int64)
    bounds = np.flatnonzero(np.diff(waits["thread"], prepend=-1, append=-1))
    kinds = (
        (line[at_end], charged.acquired[end_of], charged.released[end_of]),
        (line[sampled], pieces.time[sampled], pieces.time[sampled]),
    )
    ranges = [_overlapped(waits, begin, end) for _, begin, end in kinds]
    for low, high in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        waited_for = np.zeros(size, bool)
        for (lines, _, _), (begin, end) in zip(kinds, ranges, strict=True):
            waited_for[lines[_in_ranges(begin[low:high], end[low:high])]] = True
        count += waited_for
    return count


def _overlapped(waits: Table, begin: Int64s, end: Int64s) -> tuple[Int64s, Int64s]:
    """Return for each wait which of the stretches begin … end, in order, it overlaps: from … to."""
    first = np.searchsorted(end, waits["start"], "right")
    last = np.searchsorted(begin, waits["start"] + waits["duration"], "left")
    return first, np.maximum(first, last)


def _in_ranges(begin: Int64s, end: Int64s) -> Int64s:
    """Return the numbers in these ranges, which may touch but not cross: begin[i] … end[i] - 1."""
    length = end - begin
    first = np.cumsum(length) - length
    numbers: Int64s = np.arange(int(length.sum())) + np.repeat(begin - first, length)
    return numbers


def _waiting_table(lines: _Lines, trace: Trace, which: Bools | slice) -> Table:
    waits = trace.waits[which]
    line = lines.of(trace.wait_frames[which])
    table = np.zeros(len(lines.code), WAITING_CODE)
    table["code"], table["line"] = lines.code, lines.line
    np.add.at(table["waited"], line, waits["duration"])
    table["waits"] = np.bincount(line, minlength=len(table))
    _longest(table, line, waits["duration"], waits["start"])
    return _worst_first(table[table["waits"] > 0])

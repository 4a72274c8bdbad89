"""The summary for people: the verdict, then a line a thread. Plain text when the output is not a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..destinations import terminal
from ..measures.statistics import Statistics, statistics
from ..tables.trace import Trace
from ..why.blame_by_thread import NOBODY, blame
from .remarks import headline, remarks_on
from .rows import MOST_LINES, rows
from .sentences import by_rank
from .tables.locks import MOST_LOCKS, lock_tables
from .tables.threads import thread_tables
from .verdict import verdict

_LINES: Final = 30
"""Of a summary, where there is more to say than fits."""
_ANSWERS: Final = 10
"""Lines of these that say why, however long the sentences."""
_TITLE: Final = 3
"""Lines of a title that these leave room for."""
_FEWEST: Final = 6
"""Threads that each have a line, however narrow the terminal."""
_FEWEST_LOCKS: Final = 3
_SURE_ANSWERS: Final = 3
_HEAD: Final = 2
"""Lines above a table's rows."""
_WIDTH_WITHOUT_TERMINAL: Final = 200


def print_summary(
    trace: Trace,
    console: Console | None = None,
    figures: Statistics | None = None,
    *,
    everything: bool = False,
) -> None:
    """Print the summary of a trace.

    Parameters
    ----------
    console : rich.console.Console, optional
        Where to; standard output when there is none.
    figures : Statistics, optional
        Those of the trace, if they are there already.
    everything : bool
        A line for each thread, however many, and every pattern; else some thirty lines.
    """
    console = console or Console()
    figures = figures or statistics(trace)
    width = console.width
    if not console.is_terminal:
        console.width = max(width, _WIDTH_WITHOUT_TERMINAL)
    try:
        title = [headline(trace, figures), terminal(verdict(figures, trace), "bold")]
        answers = list(_answers(console, trace, None if everything else _room_to_say_why(console, title)))
        remarks = [terminal(remark, "yellow") for remark in remarks_on(trace)]
        texts = _height(console, [*title, *answers, *remarks]) + 1 + bool(answers)
        locks = _fitting_locks(console, trace, figures, None if everything else _LINES - texts)
        left = _LINES - texts - sum(1 + _HEAD + table.row_count for table in locks)
        tables, missing = _fitting(console, trace, figures, None if everything else left)
        for text in title:
            console.print(text, highlight=False)
        console.print()
        for table in tables:
            console.print(table, highlight=False)
        if missing:
            more = f"python -m analysis {trace.path} --all has {missing}."
            console.print(terminal(more, "dim"), highlight=False)
        for table in locks:
            console.print()
            console.print(table, highlight=False)
        if answers:
            console.print()
        for text in (*answers, *remarks):
            console.print(text, highlight=False)
    finally:
        console.width = width


def _height(console: Console, texts: Sequence[Text]) -> int:
    return sum(len(text.wrap(console, console.width)) for text in texts)


def _room_to_say_why(console: Console, title: Sequence[Text]) -> int:
    """Return the lines that the answers may take: fewer, the more the title takes on a narrow terminal."""
    return _ANSWERS - max(_height(console, title) - _TITLE, 0)


def _answers(console: Console, trace: Trace, room: int | None) -> Iterator[Text]:
    """Yield why threads waited: what there is room for by rank, in its order; three in any case."""
    ranked = [(rank, terminal(sentence)) for rank, sentence in by_rank(trace, everything=room is None)]
    if room is None:
        yield from (text for _, text in ranked)
        return
    kept: set[int] = set()
    height = 0
    for number, at in enumerate(sorted(range(len(ranked)), key=lambda at: (ranked[at][0], at))):
        height += _height(console, [ranked[at][1]])
        if number < _SURE_ANSWERS or height <= room:
            kept.add(at)
    yield from (ranked[at][1] for at in sorted(kept))


def _fitting_locks(console: Console, trace: Trace, figures: Statistics, left: int | None) -> list[Table]:
    """Return the tables of locks: rows that threads leave them of so many lines, a few in any case."""
    if left is None:
        return list(lock_tables(trace, figures.locks, None, console.width))
    beside = 1 + _HEAD + _HEAD + 1 + min(len(figures.threads), _FEWEST)
    most = min(max(left - beside, _FEWEST_LOCKS), MOST_LOCKS)
    return list(lock_tables(trace, figures.locks, most, console.width))


def _fitting(
    console: Console, trace: Trace, figures: Statistics, left: int | None
) -> tuple[list[Table], str]:
    """Return the tables of threads, and what they have not: fewer rows, the more tables.

    left: lines that there is room for; None: all.
    """
    if left is None:
        return list(thread_tables(console, list(rows(figures, None)))), ""
    many = len(figures.threads) > _FEWEST
    blamed = _blamed(trace) if many else {}
    room = min(max(left - _HEAD - 1, _FEWEST), MOST_LINES)
    most = room
    while True:
        lines = list(rows(figures, most, blamed))
        tables = list(thread_tables(console, lines))
        if len(tables) * len(lines) <= room + len(tables) or most <= _FEWEST:
            shown = tables[: max((left - 1) // (len(lines) + _HEAD), 1)]
            missing = ["a line for each"] if any(line.is_sum for line in lines) else []
            missing += ["all columns"] if missing or len(shown) < len(tables) else []
            return shown, ", and ".join(missing)
        most = max(min(room // len(tables), most - 1), _FEWEST)


def _blamed(trace: Trace) -> dict[int, int]:
    """Return for how long others waited while a thread held the lock, in ns."""
    table = blame(trace).table
    held = np.zeros(len(trace.threads), np.int64)
    charged = table[table["holder"] != NOBODY]
    np.add.at(held, charged["holder"], charged["time"])
    return {int(thread): int(held[thread]) for thread in np.flatnonzero(held)}

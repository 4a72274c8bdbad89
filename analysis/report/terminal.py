"""The summary for people: the verdict, then a line a thread. Plain text when the output is not a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ..destinations import terminal
from ..measures.cpu_time import CpuStatistics
from ..measures.statistics import Statistics, statistics
from ..measures.switch_interval import intervals_in
from ..measures.switched_on import switched_on
from ..model import HELD, WITHOUT, State, total
from ..states import STATES
from ..tables.onto_cpu import UNSURE
from ..tables.trace import Trace
from ..units import count, duration, plural, share
from ..why.blame_by_thread import NOBODY, blame
from ..why.native_words import why_missing
from . import reservations
from .lock_table import MOST_LOCKS, lock_tables
from .rows import MOST_LINES, Row, rows
from .sentences import by_rank
from .verdict import pythons, verdict

_BAR: Final = 20
_NAME: Final = 28
_BRIEF: Final = 16
"""Of a name, where nine states are to fit into 80 columns."""
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

Groups = tuple[tuple[str, ...], ...]
"""Columns of the table, in groups that stay together."""

_GROUPS: Final[Groups] = (
    ("holding", "waiting", "released"),
    ("acquires", "contended", "timeouts", "requested", "voluntary"),
    ("wait p50", "wait p99", "wait max", "longest hold"),
)
_WITHOUT_GIL: Final[Groups] = (
    ("native", "ready", "locked", "stopped", "blocked", "CPU", "preempted", "migrations"),
)
_WITH_CPUS: Final[Groups] = (
    ("running", "stalled", "asleep", "waiting", "native", "ready", "locked", "stopped", "blocked"),
    ("CPU", "stalls", "longest stall", "preempted"),
    *_GROUPS[1:],
)


_OF_WORD: Final = {kind.word: kind for kind in STATES.values()}


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
        title = [_headline(trace, figures), terminal(verdict(figures, trace), "bold")]
        answers = list(_answers(console, trace, None if everything else _room_to_say_why(console, title)))
        remarks = [terminal(remark, "yellow") for remark in _remarks(trace)]
        texts = _height(console, [*title, *answers, *remarks]) + 1 + bool(answers)
        locks = _fitting_locks(console, trace, figures, None if everything else _LINES - texts)
        left = _LINES - texts - sum(1 + _HEAD + table.row_count for table in locks)
        tables, whole = _fitting(console, trace, figures, None if everything else left)
        for text in title:
            console.print(text, highlight=False)
        console.print()
        for table in tables:
            console.print(table, highlight=False)
        if not whole:
            more = f"python -m analysis {trace.path} --all has a line for each, and all columns."
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
) -> tuple[list[Table], bool]:
    """Return the tables of threads, and whether they have all: fewer rows, the more tables.

    left: lines that there is room for; None: all.
    """
    if left is None:
        return list(_tables(console, list(rows(figures, None)))), True
    many = len(figures.threads) > _FEWEST
    blamed = _blamed(trace) if many else {}
    room = min(max(left - _HEAD - 1, _FEWEST), MOST_LINES)
    most = room
    while True:
        lines = list(rows(figures, most, blamed))
        tables = list(_tables(console, lines))
        if len(tables) * len(lines) <= room + len(tables) or most <= _FEWEST:
            shown = tables[: max((left - 1) // (len(lines) + _HEAD), 1)]
            return shown, len(shown) == len(tables) and not any(line.is_sum for line in lines)
        most = max(min(room // len(tables), most - 1), _FEWEST)


def _blamed(trace: Trace) -> dict[int, int]:
    """Return for how long others waited while a thread held the lock, in ns."""
    table = blame(trace).table
    held = np.zeros(len(trace.threads), np.int64)
    charged = table[table["holder"] != NOBODY]
    np.add.at(held, charged["holder"], charged["time"])
    return {int(thread): int(held[thread]) for thread in np.flatnonzero(held)}


def _headline(trace: Trace, figures: Statistics) -> Text:
    parts = [early[:1].lower() + early[1:-2]] if (early := reservations.in_part(trace)) else []
    parts += [pythons(trace.processes)] * (len(trace.processes) > 1)
    parts.append(plural(len(trace.threads), "thread"))
    parts.append(duration(figures.duration))
    if len(figures.gils) == 1:
        gil = figures.gils[0]
        parts.append(f"GIL held {share(gil.utilisation)}, contended {share(gil.contention)}")
        parts.append(f"{plural(gil.handoffs, 'handoff')}, {count(gil.switches)} to another thread")
    elif not figures.gils and figures.cpu is not None:
        parts += ["no GIL"] * any(process.environment.get("without_gil") for process in trace.processes)
        parts.append(f"{figures.cpus_busy:.2f} CPUs busy")
    else:
        parts.append(f"{figures.parallelism:.2f} of {plural(len(figures.gils), 'GIL')} held")
    for what in _common(trace):
        parts.append(what)
    return terminal(trace.path.name, "bold") + terminal("  " + " · ".join(parts), "not bold")


def _common(trace: Trace) -> Iterator[str]:
    """Yield what is the same in all processes and worth a word."""
    processes = trace.processes
    versions = {f"{process.python_implementation} {process.python_version}".strip() for process in processes}
    intervals = intervals_in(trace)
    if len(versions) == 1:
        yield from (version for version in versions if version)
    if len(intervals) == 1:
        yield f"switch interval {duration(intervals[0])}"


def _tables(console: Console, lines: Sequence[Row]) -> Iterator[Table]:
    """Yield one table, or on a narrow terminal as many as it takes, each with whole groups of columns.

    Where not even the first group fits, states have their shares alone, without the times.
    """
    if not lines:
        return
    unlimited = console.options.update(width=10_000)
    brief = False

    def fits(columns: Sequence[str], bar: bool) -> bool:
        table = _table(lines, columns, bar=bar, brief=brief)
        return Measurement.get(console, unlimited, table).maximum <= console.width

    groups = _WITH_CPUS if any(line.cpu is not None for line in lines) else _GROUPS
    if groups is _WITH_CPUS and not any(line.counts.acquires or line.wait.count for line in lines):
        groups = _WITHOUT_GIL
    elif any(line.cpu is not None and line.cpu.retries for line in lines):
        groups = (groups[0], (*groups[1], "retries"), *groups[2:])
    groups = tuple(tuple(column for column in group if _is_there(column, lines)) for group in groups)
    brief = not fits(groups[0], False)
    columns: list[str] = []
    bar = fits(groups[0], True)
    for group in groups:
        if columns and not fits([*columns, *group], bar):
            yield _table(lines, columns, bar=bar, brief=brief)
            columns, bar = [], False
        columns += group
    yield _table(lines, columns, bar=bar, brief=brief)


def _is_there(column: str, lines: Sequence[Row]) -> bool:
    """Return whether a column has something to say: that of a rare state if somebody was in it."""
    kind = _OF_WORD.get(column)
    if kind is None or not kind.rare or column in ("holding", "released"):
        return True
    return any(line.time[kind.state] > 0 for line in lines)


def _table(lines: Sequence[Row], columns: Sequence[str], *, bar: bool, brief: bool) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 0 if brief else 1, 0, 0),
        collapse_padding=True,
        header_style="dim",
        show_edge=False,
    )
    table.add_column("thread", no_wrap=True, max_width=_BRIEF if brief else _NAME, overflow="ellipsis")
    if bar:
        table.add_column("", no_wrap=True, min_width=_BAR)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for line in lines:
        style = "bold" if line.is_process else "dim" if line.is_rest else ""
        name = terminal(line.name if line.is_process or not line.indented else f"  {line.name}")
        cells: list[str | Text] = [
            name,
            *([_bar(line)] if bar else []),
            *(_cell(line, column, brief) for column in columns),
        ]
        table.add_row(*cells, style=style)
    return table


def _bar(line: Row) -> Text:
    """Draw the shares of the states, by signs that can be told apart without colour too."""
    if not line.lifetime or (line.is_process and line.threads != 1):
        return Text("")
    parts = Text()
    left = _BAR
    for kind in STATES.values():
        if kind.look.sign:
            length = min(round(_BAR * line.time[kind.state] / line.lifetime), left)
            parts.append(kind.look.sign * length, kind.look.text or kind.look.colour)
            left -= length
    return parts.append("·" * left, "dim")


def _cell(line: Row, column: str, brief: bool) -> str | Text:
    counts, wait, hold = line.counts, line.wait, line.hold
    match column:
        case "holding" if line.cpu is None:
            return _time(line, HELD, STATES[State.HOLDING].look.colour, brief)
        case "released" if line.cpu is None:
            return _time(line, WITHOUT, "", brief)
        case _ if column in _OF_WORD:
            look = _OF_WORD[column].look
            colour = (look.text or look.colour) if look.sign else ""
            return _time(line, (_OF_WORD[column].state,), colour, brief)
        case "CPU" | "stalls" | "longest stall" | "preempted" | "migrations" | "retries":
            return _cpu_cell(line.cpu, column)
        case "acquires":
            return count(counts.acquires)
        case "contended":
            return count(counts.contended_acquires)
        case "timeouts":
            return count(counts.timeouts)
        case "requested":
            return count(counts.requested_releases)
        case "voluntary":
            return count(counts.voluntary_releases)
        case "wait p50":
            return duration(wait.p50) if wait.count and not line.is_sum else "–"
        case "wait p99":
            return duration(wait.p99) if wait.count and not line.is_sum else "–"
        case "wait max":
            return duration(wait.max) if wait.count else "–"
        case _:
            return duration(hold.max) if hold.count else "–"


def _cpu_cell(cpu: CpuStatistics | None, column: str) -> str:
    if cpu is None:
        return "–"
    match column:
        case "CPU":
            return duration(cpu.time)
        case "stalls":
            return count(cpu.stalled.count)
        case "longest stall":
            return duration(cpu.stalled.max) if cpu.stalled.count else "–"
        case "migrations":
            return count(cpu.migrations)
        case "preempted":
            return count(cpu.preempted)
        case _:
            return count(cpu.retries)


def _time(line: Row, states: tuple[State, ...], colour: str, brief: bool) -> Text:
    time = total(line.time, states)
    of_gil = set(states) <= set(HELD)  # one thread at a time: a share of the process's time
    if line.is_process and line.threads != 1 and not of_gil:
        return Text(duration(time) if brief else f"{duration(time)} {'':>7}")
    part = time / line.lifetime if line.lifetime else 0.0
    if brief:
        return Text(share(part), colour)
    return Text.assemble(f"{duration(time)} ", (f"{share(part):>7}", colour))


def _remarks(trace: Trace) -> Iterator[str]:
    """Yield what a reader must know before believing the figures."""
    yield from reservations.ends(trace)
    for line in (reservations.unrecorded_line(trace), reservations.without_samples(trace)):
        if line:
            yield line
    if missing := why_missing(trace):
        yield f"No samples of native code: {missing}."
    for each in switched_on(trace):
        thread, where = trace.threads[each.thread], f", {each.where}" if each.where else ""
        yield f"The GIL was switched on at {duration(each.time - trace.begin)}, in {thread.name}{where}."
    for process in trace.processes:
        if process.discarded:
            yield f"process {process.pid} lost {plural(process.discarded, 'event')}."
        if process.threads_lost:
            which = plural(process.threads_lost, "thread")
            yield f"{which} of process {process.pid} could not be recorded, or not wholly: {process.loss}."
        if process.gils_missed:
            missed = plural(process.gils_missed, "take")
            yield f"Process {process.pid} had more GILs at once than can be recorded: {missed} missing."
    scheduling = trace.scheduling
    if scheduling is not None and scheduling.failure is not None:
        yield f"The recording of the scheduler ended early: {scheduling.failure}."
    if scheduling is not None and scheduling.lost:
        unsure = duration(sum(trace.cpu_time[:, UNSURE].tolist()))
        yield (
            f"{plural(scheduling.lost, 'record')} of the scheduler were lost:"
            f" of {unsure} it is not known whether a thread had a CPU."
        )
    for line in trace.skipped:
        yield f"Skipped: {line}"

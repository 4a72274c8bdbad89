"""The summary's tables of threads: a line each, columns in groups that stay together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ...destinations import terminal
from ...measures.cpu_time import CpuStatistics
from ...model import HELD, WITHOUT, State, total
from ...states import STATES
from ...units import count, duration, share
from ..rows import Row

_BAR: Final = 20
_NAME: Final = 28
_BRIEF: Final = 16
"""Of a name, where nine states are to fit into 80 columns."""

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


def thread_tables(console: Console, lines: Sequence[Row]) -> Iterator[Table]:
    """Yield one table, or on a narrow terminal as many as it takes, each with whole groups of columns.

    Where not even the first group fits, states have their shares alone, without the times.
    """
    if not lines:
        return
    unlimited = console.options.update(width=10_000)
    brief = False

    def spare(columns: Sequence[str], bar: bool) -> int:
        table = _table(lines, columns, bar=bar, brief=brief)
        return console.width - Measurement.get(console, unlimited, table).maximum

    def fits(columns: Sequence[str], bar: bool) -> bool:
        return spare(columns, bar) >= 0

    def drawn(columns: Sequence[str], bar: bool) -> Table:
        """Return a table; what it leaves of the width is for longer names."""
        longer = max(spare(columns, bar), 0) if brief else 0
        return _table(lines, columns, bar=bar, brief=brief, longer=longer)

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
            yield drawn(columns, bar)
            columns, bar = [], False
        columns += group
    yield drawn(columns, bar)


def _is_there(column: str, lines: Sequence[Row]) -> bool:
    """Return whether a column has something to say: that of a rare state if somebody was in it."""
    kind = _OF_WORD.get(column)
    if kind is None or not kind.rare or column in ("holding", "released"):
        return True
    return any(line.time[kind.state] > 0 for line in lines)


def _table(lines: Sequence[Row], columns: Sequence[str], *, bar: bool, brief: bool, longer: int = 0) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 0 if brief else 1, 0, 0),
        collapse_padding=True,
        header_style="dim",
        show_edge=False,
    )
    most = min(_BRIEF + longer, _NAME) if brief else _NAME
    table.add_column("thread", no_wrap=True, max_width=most, overflow="ellipsis")
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

"""Blame for waits for locks, for people and for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ...destinations import terminal
from ...tables.trace import Trace
from ...units import count, duration, share
from ..blame_by_thread import NOBODY
from .blame import LockBlame, LockLine

if TYPE_CHECKING:
    from rich.table import Table

_NAMES: Final = 3


def _table(*columns: str) -> Table:
    from rich import box  # JSON has no need of it
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False, header_style="dim"
    )
    table.add_column(columns[0], overflow="fold")
    for column in columns[1:]:
        words = column in ("waits in", "let go in", "who had it")
        table.add_column(column, justify="left" if words else "right", no_wrap=not words)
    return table


def names_of(trace: Trace, threads: tuple[int, ...]) -> str:
    """Return some threads by name: "a, b and 3 more"."""
    names = sorted({trace.threads[thread].name for thread in threads})
    if len(names) <= _NAMES:
        return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return f"{', '.join(names[: _NAMES - 1])} and {count(len(names) - _NAMES + 1)} more"


def let_go_of(trace: Trace, line: LockLine) -> str:
    """Return where, and by whom, a lock was let go: "flush(), app.py:12"."""
    if line.nobody:
        return "nobody: on its way, or not known"
    return line.let_go or f"{names_of(trace, line.holders)} (code not recorded)"


def lines_table(trace: Trace, blame: LockBlame, most: int) -> Table:
    """Return the worst locks, by the lines at both ends, as a table for a terminal."""
    table = _table("waited for", "waited", "", "waits", "longest", "threads", "waits in", "let go in")
    for line in blame.lines[:most]:
        table.add_row(
            terminal(line.lock),
            duration(line.waited),
            share(line.waited / max(blame.total, 1)),
            count(line.waits),
            duration(line.longest),
            count(len(line.waiters)),
            terminal(line.where or "code not recorded"),
            terminal(let_go_of(trace, line)),
        )
    rest = blame.lines[most:]
    if rest:
        waited = sum(line.waited for line in rest)
        more = f"{count(len(rest))} more"
        table.add_row(more, duration(waited), share(waited / max(blame.total, 1)), style="dim")
    return table


def threads_table(trace: Trace, blame: LockBlame, most: int) -> Table:
    """Return who waited for whom, the worst pairs first, as a table for a terminal."""
    table = _table("waited for a lock", "waited", "", "waits", "who had it")
    rows = sorted(blame.threads.table, key=lambda row: -int(row["time"]))
    for row in rows[:most]:
        holder = "nobody" if row["holder"] == NOBODY else trace.threads[row["holder"]].name
        table.add_row(
            terminal(trace.threads[row["blocked"]].name),
            duration(int(row["time"])),
            share(row["time"] / max(blame.total, 1)),
            count(int(row["waits"])),
            terminal(holder),
        )
    return table


def to_json(trace: Trace, blame: LockBlame, most: int) -> dict[str, Any]:
    """Return blame for locks for machines; the schema is in `report.summary`."""
    threads, processes = trace.threads, trace.processes
    return {
        "waited_ns": blame.total,
        "nobody_ns": blame.nobody,
        "threads": [
            {
                "pid": processes[threads[blocked].process].pid,
                "blocked_tid": threads[blocked].tid,
                "holder_tid": None if holder == NOBODY else threads[holder].tid,
                "time_ns": time,
                "waits": waits,
            }
            for blocked, holder, time, waits in blame.threads.table.tolist()
        ],
        "lines": [
            {
                "lock": line.lock,
                "kind": line.kind.value,
                "pid": processes[line.process].pid,
                "where": line.where or None,
                "let_go_where": line.let_go or None,
                "nobody": line.nobody,
                "waited_ns": line.waited,
                "longest_ns": line.longest,
                "longest_at_ns": line.longest_at,
                "waits": line.waits,
                "waiter_tids": [threads[thread].tid for thread in line.waiters],
                "holder_tids": [threads[thread].tid for thread in line.holders],
            }
            for line in blame.lines[:most]
        ],
    }

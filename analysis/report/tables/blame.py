"""Blame by code as tables for a terminal: the functions that others waited for, and the lines that waited."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich import box
from rich.table import Table
from rich.text import Text

from ...destinations import terminal
from ...tables.trace import Trace
from ...units import count, duration, plural, share
from ...why.code.charges import CodeBlame
from ...why.code.words import NOT_RECORDED, function, place


def blame_table(trace: Trace, blame: CodeBlame, most: int) -> Table:
    """Return the worst functions, each with its worst line, as a table for a terminal."""
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False, header_style="dim"
    )
    table.add_column("held the GIL while others waited", overflow="fold")
    for column in ("waited", "", "samples", "threads", "holds", "when asked", "slowest", "longest"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in blame.functions[:most]:
        table.add_row(
            _where(trace, row),
            duration(row["waited"]),
            share(row["waited"] / blame.total),
            count(int(row["samples"])) if row["samples"] else "at ends",
            count(int(row["threads"])),
            count(int(row["holds"])),
            share(row["requested"] / row["holds"]),
            duration(row["slowest"]) if row["slowest"] else "–",
            duration(row["longest"]),
        )
    return _with_rest(table, blame.functions[most:], blame.total, "function more", "functions more")


def waiting_table(trace: Trace, blame: CodeBlame, most: int) -> Table:
    """Return the lines that waited longest as a table for a terminal."""
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False, header_style="dim"
    )
    table.add_column("waited for the GIL", overflow="fold")
    for column in ("waited", "", "waits", "longest"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in blame.waiting[:most]:
        table.add_row(
            _where(trace, row),
            duration(row["waited"]),
            share(row["waited"] / blame.total),
            count(int(row["waits"])),
            duration(row["longest"]),
        )
    return _with_rest(table, blame.waiting[most:], blame.total)


def _with_rest(
    table: Table, rest: np.ndarray[Any, Any], total: int, one: str = "line more", many: str = "lines more"
) -> Table:
    if len(rest):
        waited = int(rest["waited"].sum())
        more = plural(len(rest), one, many)
        table.add_row(more, duration(waited), share(waited / total), style="dim")
    return table


def _where(trace: Trace, row: Any) -> Text:
    if row["code"] < 0:
        return terminal(NOT_RECORDED)
    code = trace.codes[row["code"]]
    return terminal(f"{function(code)} ") + terminal(place(code, row["line"]), "dim")

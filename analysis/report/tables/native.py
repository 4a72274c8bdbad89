"""Native code as a table for a terminal: what ran longest, with the GIL and beside it."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.table import Table

from ...destinations import terminal
from ...measures.native_code import NativeTime
from ...units import count, duration
from ...why.code.native_words import rows


def native_table(times: Iterable[NativeTime], most: int) -> Table:
    """Return the functions that ran longest as a table for a terminal."""
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False, header_style="dim"
    )
    table.add_column("native code", overflow="fold")
    for column in ("with the GIL", "without", "samples", "threads"):
        table.add_column(column, justify="right", no_wrap=True)
    found = rows(times)
    for code, held, free, samples, threads in found[:most]:
        table.add_row(
            terminal(code.name),
            duration(held) if held else "–",
            duration(free) if free else "–",
            count(samples),
            count(threads),
        )
    if rest := found[most:]:
        held, free = sum(row[1] for row in rest), sum(row[2] for row in rest)
        samples = sum(row[3] for row in rest)
        more = f"{count(len(rest))} {'function' if len(rest) == 1 else 'functions'} more"
        table.add_row(more, duration(held), duration(free), count(samples), style="dim")
    return table

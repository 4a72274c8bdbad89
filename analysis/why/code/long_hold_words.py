"""Long holds, for people and machines: the calls that would make somebody wait, in sentences and a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ...arrays import Bools, Table
from ...destinations import terminal
from ...tables.trace import Trace
from ...units import count, duration
from .long_holds import LONG_HOLD
from .words import NOT_RECORDED, function, place

if TYPE_CHECKING:
    from rich.table import Table as Printed

_HARDLY: Final = 0.1
"""Share of such holds in which others waited, from which on blame speaks of them."""

_OFTEN: Final = 0.5
"""Share of a line's long holds that are pieces, from which on it is no chance that some are."""

_SAMPLES: Final = 6

_IMPORTS: Final = "<frozen importlib"
"""File whose holds happen once, at the start."""

_LIBRARIES: Final = ("/lib/python", "/site-packages/", "/dist-packages/", "<frozen ")


def worth_a_line(trace: Trace, table: Table) -> Bools:
    """Return which rows are news: calls, in one piece, for which next to nobody waited, of no import."""
    files = [code.file for code in trace.codes]
    own = np.array([code >= 0 and not files[code].startswith(_IMPORTS) for code in table["code"]], bool)
    sure = (table["pieces"] >= _OFTEN * table["holds"]) & (table["samples"] >= _SAMPLES)
    news: Bools = own & (table["pieces"] > 0) & sure & (table["waited"] <= _HARDLY * table["time"])
    return news


def sentences(trace: Trace, table: Table, most: int) -> Iterator[str]:
    """Yield a sentence for each of the longest ones that are news.

    "raw_decode(), decoder.py:353, called from handle(), app.py:12: held the GIL for 669 ms in one piece;
    nobody waited this time." With more such holds: "…, the longest of 3; …".
    """
    for row in table[worth_a_line(trace, table)][:most]:
        code = trace.codes[row["code"]]
        number = int(row["pieces"])
        of_several = f", the longest of {count(number)}" if number > 1 else ""
        waited = f"others waited {duration(row['waited'])}" if row["waited"] else "nobody waited this time"
        yield (
            f"{function(code)}, {place(code, int(row['line']))}{_caller(trace, int(row['frame']))}: held the"
            f" GIL for {duration(row['longest'])} in one piece{of_several}; {waited}."
        )


def _caller(trace: Trace, frame: int) -> str:
    """Return which code of the program's own called a library's: there something can be done about it."""
    inner = frame
    while frame >= 0:
        code = trace.codes[trace.frames["code"][frame]]
        if not any(part in code.file for part in _LIBRARIES):
            where = f"{function(code)}, {place(code, int(trace.frames['line'][frame]))}"
            return f", called from {where}" if frame != inner else ""
        frame = int(trace.frames["caller"][frame])
    return ""


def long_holds_table(trace: Trace, table: Table, most: int) -> Printed:
    """Return the first rows as a table for a terminal."""
    from rich import box  # JSON has no need of it
    from rich.table import Table as Printed

    printed = Printed(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False, header_style="dim"
    )
    printed.add_column("held the GIL for more than a switch interval", overflow="fold")
    for column in ("longest", "holds", "in one piece", "together", "waited for", "samples"):
        printed.add_column(column, justify="right", no_wrap=True)
    for row in table[:most]:
        name = terminal(NOT_RECORDED)
        if row["code"] >= 0:
            code = trace.codes[row["code"]]
            name = terminal(f"{function(code)} ") + terminal(place(code, int(row["line"])), "dim")
        printed.add_row(
            name,
            duration(row["longest"]),
            *(count(int(row[number])) for number in ("holds", "pieces")),
            *(duration(row[time]) for time in ("time", "waited")),
            count(int(row["samples"])) if row["samples"] else "at ends",
        )
    return printed


def to_json(trace: Trace, table: Table, most: int) -> list[dict[str, Any]]:
    """Return the first rows for machines; the schema is in `summary`."""
    return [_row(trace, row) for row in table[:most]]


def _row(trace: Trace, row: Any) -> dict[str, Any]:
    known = row["code"] >= 0
    code = trace.codes[row["code"]] if known else None
    thread = trace.threads[row["thread"]]
    return {
        "function": code.name if code else None,
        "file": code.file if code else None,
        "line": (int(row["line"]) or code.first_line) if code else None,
        "pid": trace.processes[thread.process].pid,
        "tid": thread.tid,
        **{_KEYS.get(name, name): int(row[name]) for name in list(LONG_HOLD.names or ())[2:-2]},
    }


_KEYS: Final = {name: f"{name}_ns" for name in ("time", "waited", "longest", "longest_at")}

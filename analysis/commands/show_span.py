"""What `show` says of a span: statistics, sentences and blamed lines of that part of the trace alone."""

from __future__ import annotations

import io
from typing import Final

from rich.console import Console
from rich.text import Text

from ..destinations import visible
from ..report.tables.blame import blame_table
from ..report.terminal import print_summary
from ..tables.trace import Trace
from ..units import duration
from ..why.code.charges import code_blame

_LINES_OF_CODE: Final = 10


def report(trace: Trace, begin: int, end: int, columns: int) -> list[Text]:
    """Return the lines to show of [begin, end), ns since the trace's begin."""
    part = trace.between(trace.begin + begin, trace.begin + end)
    console = Console(file=io.StringIO(), force_terminal=True, width=columns, highlight=False)
    print_summary(part, console)
    blame = code_blame(part)
    if blame.total:
        console.print()
        console.print(blame_table(part, blame, _LINES_OF_CODE))
    span = f"{duration(begin)} – {duration(end)} ({duration(end - begin)})"
    title = Text(f"{visible(trace.path.name)}  of the span {span} alone", style="bold")
    printed = console.file.getvalue() if isinstance(console.file, io.StringIO) else ""
    return [title, *(Text.from_ansi(line) for line in printed.splitlines())]

"""`python -m analysis spans TRACE`: which of the program's spans were slow, and who delayed them."""

from __future__ import annotations

import argparse

from rich.console import Console

from ..destinations import json_text, terminal
from ..errors import GilscopeError
from ..report.spans import marks_line, sentences, span_table, to_json
from ..tables.trace import Trace
from ..why.spans import slowest, span_figures, time_in_states

EPILOG = """\
Spans are what the program calls so: with tracer.span("parse"): ..., marks what it says by
tracer.mark("here"); see examples/middleware for servers. A span's time is its thread's, from its begin to its
end."""

_NAMES = 25


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options; the trace's are added by whoever loads it."""
    parser.add_argument(
        "--slowest", type=int, default=5, metavar="N", help="how many are told one by one (default: 5)"
    )
    parser.add_argument(
        "--json", action="store_true", help="for machines; the schema is in analysis/report/spans.py"
    )


def check(options: argparse.Namespace) -> None:
    """Raise GilscopeError if there can't be so many."""
    if options.slowest < 0:
        raise GilscopeError(f"--slowest {options.slowest}: how many, from 0 on")


def run(trace: Trace, options: argparse.Namespace) -> None:
    """Print the tables and sentences, or JSON."""
    if options.json:
        print(json_text(to_json(trace, options.slowest)))
        return
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, 160)
    if not len(trace.spans):
        console.print('No spans: the program makes them by tracer.span("name").', highlight=False)
    else:
        time = time_in_states(trace, trace.spans)
        console.print(span_table(trace, span_figures(trace, time), _NAMES), highlight=False)
        for line in sentences(trace, time, slowest(trace, options.slowest)):
            console.print(terminal(line), highlight=False, soft_wrap=True)
    if line := marks_line(trace):
        console.print(terminal(line), highlight=False, soft_wrap=True)

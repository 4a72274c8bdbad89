"""`python -m analysis path TRACE`: whom a thread waited for, to the chain's end, and its critical path."""

from __future__ import annotations

import argparse
from fnmatch import fnmatchcase

from rich.console import Console

from ..destinations import json_text, terminal
from ..errors import GilscopeError, there
from ..report.path import chain_lines, path_table, to_json
from ..tables.trace import Trace
from ..units import count, duration
from ..why.chains.chains import chains
from ..why.chains.critical_path import critical_path, last_thread
from ..why.chains.never_ended import knots, sentence

_WIDTH_WITHOUT_TERMINAL = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options; the trace's are added by whoever loads it."""
    parser.add_argument(
        "--thread",
        metavar="NAME",
        help="of this thread, by name (with * and ?) or tid; default: the main one",
    )
    parser.add_argument("--lines", type=_positive, default=12, metavar="N", help="how many (default: 12)")
    parser.add_argument(
        "--json", action="store_true", help="for machines: analysis/report/path.py, `to_json`"
    )


def check(options: argparse.Namespace) -> None:
    """Nothing can be wrong before the trace is read."""


def run(trace: Trace, options: argparse.Namespace, console: Console | None = None) -> None:
    """Print the path, the chains and what never ended."""
    if not trace.threads:
        raise GilscopeError(f"{trace.path} has no threads")
    thread = last_thread(trace) if options.thread is None else _named(trace, options.thread)
    path, waited, endless = critical_path(trace, thread), chains(trace, thread), knots(trace)
    if options.json:
        print(json_text(to_json(trace, path, waited, endless, options.lines)))
        return
    console = console or Console()
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH_WITHOUT_TERMINAL)
    name = trace.threads[thread].name
    for knot in endless[: options.lines]:
        console.print(terminal(sentence(trace, knot), "bold red" if knot.cycle else "bold"), highlight=False)
    length, steps = duration(path.end - path.begin), count(len(path.steps))
    console.print(
        terminal(f"The critical path to the end of {name}: {length} in {steps} steps.", "bold"),
        highlight=False,
    )
    console.print()
    console.print(path_table(trace, path, options.lines), highlight=False)
    if not waited:
        console.print(terminal(f"{name} waited for nobody.", "dim"), highlight=False)
        return
    console.print()
    total = duration(sum(chain.time for chain in waited))
    console.print(terminal(f"{name} waited {total} for others:", "bold"), highlight=False)
    for line in chain_lines(trace, waited, options.lines):
        console.print(line, highlight=False)


def _named(trace: Trace, wanted: str) -> int:
    """Return the thread of a name or a tid: of several the one that lived longest."""
    found = [
        thread
        for thread in trace.threads
        if thread.name == wanted or str(thread.tid) == wanted or fnmatchcase(thread.name, wanted)
    ]
    if not found:
        names = (thread.name for thread in trace.threads)
        raise GilscopeError(f"no thread {wanted!r} in the trace; {there(wanted, names)}")
    return max(found, key=lambda thread: thread.end - thread.begin).index


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of lines, from 1 on")
    return number

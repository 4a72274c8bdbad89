"""`python -m analysis blame TRACE`: which code made others wait, for the GIL and for other locks."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from rich.console import Console

from ..destinations import json_text, terminal
from ..errors import GilscopeError
from ..measures.native_code import native_times
from ..report.tables.blame import blame_table, waiting_table
from ..report.tables.native import native_table
from ..tables.trace import Trace
from ..units import duration
from ..why.code import native_words
from ..why.code import words as code_words
from ..why.code.charges import CodeBlame, code_blame
from ..why.code.flames import collapsed, flame, speedscope
from ..why.code.long_hold_words import long_holds_table
from ..why.code.long_holds import long_holds
from ..why.locks import words as lock_words
from ..why.locks.blame import LockBlame, lock_blame

_WIDTH_WITHOUT_TERMINAL = 200


class OutputError(GilscopeError):
    """A file can't be written as asked."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options; the trace's are added by whoever loads it."""
    parser.add_argument(
        "--lines", type=_positive, default=15, metavar="N", help="how many lines of code (default: 15)"
    )
    parser.add_argument(
        "--json", action="store_true", help="for machines: analysis/report/summary.py, `code`, and `locks`"
    )
    parser.add_argument(
        "--collapsed",
        type=Path,
        metavar="FILE",
        help='write stacks, "a;b;c 120": for flamegraph.pl and others',
    )
    parser.add_argument(
        "--speedscope", type=Path, metavar="FILE", help="write a profile for https://www.speedscope.app"
    )
    parser.add_argument("--force", action="store_true", help="replace files that exist")


def check(options: argparse.Namespace) -> None:
    """Raise OutputError if a file is not to be replaced, before anything is read."""
    for path in (options.collapsed, options.speedscope):
        if path is not None and path.exists() and not options.force:
            raise OutputError(f"{path} exists: choose another name, or replace it with --force")


def run(trace: Trace, options: argparse.Namespace, console: Console | None = None) -> None:
    """Print the tables, or JSON, and write what was asked for."""
    blame = code_blame(trace)
    if options.collapsed is not None or options.speedscope is not None:
        graph = flame(trace)
        if options.collapsed is not None:
            _write(options.collapsed, lambda file: file.writelines(f"{line}\n" for line in collapsed(graph)))
        if options.speedscope is not None:
            profile = speedscope(graph, trace.path.name)
            _write(options.speedscope, lambda file: file.write(json_text(profile)))
    locks = lock_blame(trace)
    if options.json:
        found = code_words.to_json(trace, blame, options.lines)
        print(json_text({**found, "locks": lock_words.to_json(trace, locks, options.lines)}))
        return
    console = console or Console()
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH_WITHOUT_TERMINAL)
    _print_gil(trace, blame, options.lines, console)
    _print_long_holds(trace, console, options.lines)
    _print_native(trace, options.lines, console)
    _print_locks(trace, locks, options.lines, console)
    if not trace.codes and (blame.total or locks.total):
        remark = (
            "The trace has no Python frames: it was recorded with --no-stacks, or by an interpreter without."
        )
        console.print(terminal(remark, "yellow"), highlight=False)


def _print_native(trace: Trace, most: int, console: Console) -> None:
    times = native_times(trace)
    if times:
        console.print()
        console.print(native_table(times, most), highlight=False)
    elif missing := native_words.why_missing(trace):
        console.print(terminal(f"No samples of native code: {missing}", "dim"), highlight=False)


def _print_gil(trace: Trace, blame: CodeBlame, most: int, console: Console) -> None:
    if not blame.total:
        console.print("Nobody waited for the GIL.")
        return
    console.print(blame_table(trace, blame, most), highlight=False)
    nobody = f"Of {duration(blame.total)} of waiting nobody held it for {duration(blame.nobody)}: handoffs."
    console.print(terminal(nobody, "dim"), highlight=False)
    console.print()
    console.print(waiting_table(trace, blame, most), highlight=False)


def _print_locks(trace: Trace, blame: LockBlame, most: int, console: Console) -> None:
    if not blame.total:
        return
    console.print()
    console.print(lock_words.lines_table(trace, blame, most), highlight=False)
    console.print()
    console.print(lock_words.threads_table(trace, blame, most), highlight=False)


def _print_long_holds(trace: Trace, console: Console, most: int) -> None:
    found = long_holds(trace)
    if len(found):
        console.print()
        console.print(long_holds_table(trace, found, most), highlight=False)


def _write(path: Path, write: Callable[[TextIO], object]) -> None:
    try:
        with path.open("w", encoding="utf-8") as file:
            write(file)
    except OSError as error:
        raise OutputError(f"{path} can't be written: {error.strerror or error}") from None


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of lines, from 1 on")
    return number

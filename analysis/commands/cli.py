"""The command line of the analysis: the summary of a trace, and commands that ask more of it.

Each command is a module with `add_arguments(parser)`, `check(options)` (before anything is read) and
`run(trace, options)`; what it needs is imported when it is called for. A command that loads its traces
itself is in `_OF_SEVERAL`.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Final

from ..arguments import Parser
from ..destinations import say
from ..errors import GilscopeError
from ..tables.load import load
from ..tables.trace import Trace

COMMANDS: Final = ("blame", "path", "spans", "whatif", "export", "show")
"""Commands about one trace, each a module of this folder."""

_OF_SEVERAL: Final = ("diff", "summarise", "fleet")
_DEFAULT: Final = "summary"

_USAGE: Final = """\
python -m analysis TRACE [--json] [--fail-if EXPRESSION]
       python -m analysis blame TRACE     which code held the GIL while others waited
       python -m analysis path TRACE      whom a thread waited for, and its critical path
       python -m analysis spans TRACE     which of the program's spans were slow, and who delayed them
       python -m analysis whatif TRACE    another switch interval, no GIL, other CPUs
       python -m analysis diff A B        what changed between two recordings
       python -m analysis summarise TRACE… a small summary of each process, to add up
       python -m analysis fleet PATH…     summaries and traces of many processes, ranked
       python -m analysis show TRACE      the lanes in the terminal, to zoom and to pan
       python -m analysis export TRACE    for Perfetto, Firefox Profiler, speedscope, Chrome, Parquet

Each has --help. (A trace that has the name of a command: ./blame.)"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    name = given.pop(0) if given and given[0] in (*COMMANDS, *_OF_SEVERAL) else ""
    module = import_module(f".{name or _DEFAULT}", __package__)
    several = name in _OF_SEVERAL
    parser = _parser(name, module, several)
    options = parser.parse_args(given)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without µ and █ shows something else for them
    try:
        module.check(options)
        status: int | None
        if several:
            status = module.run(options)
        else:
            trace = opened(options.trace, options)
            if name:  # the summary says it itself
                say_early_ends(trace)
            status = module.run(trace, options)
        sys.stdout.flush()
    except GilscopeError as error:
        say(str(error))
        return 2
    except BrokenPipeError:
        # The reader has seen enough; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status or 0


def opened(path: str, options: argparse.Namespace) -> Trace:
    """Return a trace, and say on stderr what a salvaging load left out."""
    trace = load(path, salvage=options.salvage)
    for line in trace.skipped:
        say(line)
    if options.between is None:
        return trace
    begin, end = options.between
    try:
        return trace.between(trace.begin + int(begin * 1e9), trace.begin + int(end * 1e9))
    except ValueError:
        whole = (trace.end - trace.begin) / 1e9
        raise GilscopeError(f"--between {begin:g} {end:g}: the trace lasts from 0 to {whole:.6g} s") from None


def say_early_ends(trace: Trace) -> None:
    """Say on stderr which recordings ended early: what follows is of the part before."""
    from ..report.reservations import early_ends

    for line in early_ends(trace.processes):
        say(line)


class _Parser(Parser):
    more: Callable[[], str] | None = None
    """Makes the epilog, where that is not a constant."""

    def format_help(self) -> str:
        """Return the help; what makes its end is asked for that only then."""
        if self.more is not None:
            self.epilog = self.more()
        return super().format_help()


def _parser(name: str, module: Any, several: bool) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=f"python -m analysis {name}".rstrip(),
        usage=None if name else _USAGE,
        description=None if name else "Say what a trace amounts to.",
        epilog=getattr(module, "EPILOG", None),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.more = getattr(module, "epilog", None)
    if name:
        about = str(module.__doc__).strip().splitlines()[0].partition(": ")[2]
        parser.description = about[:1].upper() + about[1:]
    if not several:
        parser.add_argument("trace", metavar="TRACE", help="the directory that was recorded")
        parser.add_argument(
            "--between",
            nargs=2,
            type=float,
            metavar=("BEGIN", "END"),
            help="only this part, in seconds from the trace's begin",
        )
    parser.add_argument("--salvage", action="store_true", help="skip what can't be read, and say so")
    module.add_arguments(parser)
    return parser

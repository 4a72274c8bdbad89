"""`python -m plots TRACE -o FILE`: draw a trace's timeline."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import analysis
from analysis.errors import GilscopeError

from .cpus import cpus
from .timeaxis import parse_time
from .timeline import save, save_timeline, suffix_of
from .window import AROUND, PlotError

_TIMES = "12ms, 1.5s, 300us, 40ns, or seconds: 0.25; counted from the trace's begin"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status: 0, or 2 after one line on stderr that says what is wrong."""
    options = _parser().parse_args(arguments)
    try:
        _draw(options)
    except GilscopeError as error:
        print(f"gilscope: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"gilscope: {error.filename or options.output}: {error.strerror or error}", file=sys.stderr)
        return 2
    return 0


def _draw(options: argparse.Namespace) -> None:
    target: Path = options.output
    suffix_of(target)
    if target.exists() and not options.force:
        raise PlotError(f"{target} exists: choose another name, or replace it with --force")
    start, end = _time("--start", options.start), _time("--end", options.end)
    trace = analysis.load(options.trace, salvage=options.salvage)
    for skipped in trace.skipped:
        print(f"gilscope: skipped: {skipped}", file=sys.stderr)
    if options.lanes_by == "cpu":
        save(cpus(trace, start=start, end=end, around=options.around), target)
    else:
        save_timeline(trace, target, start=start, end=end, around=options.around, max_lanes=options.lanes)


def _time(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        raise PlotError(f"{option}: {error}") from None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say it in one line; argparse would write the usage too."""
        self.exit(2, f"gilscope: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m plots",
        description="Draw the timeline of a trace: who held the GIL, who waited for it, and when.",
        epilog=f"Times: {_TIMES}.",
        allow_abbrev=False,
    )
    parser.add_argument("trace", type=Path, metavar="TRACE", help="a trace directory")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="the figure: .png, .svg or .pdf"
    )
    parser.add_argument("--start", metavar="TIME", help="where to begin")
    parser.add_argument("--end", metavar="TIME", help="where to end")
    parser.add_argument("--around", metavar="WHAT", help=f"zoom in on {', '.join(AROUND)}, or a time")
    parser.add_argument(
        "--lanes", type=_lanes, metavar="N", help="up to so many lanes, however high the figure becomes"
    )
    parser.add_argument(
        "--lanes-by",
        choices=("thread", "cpu"),
        default="thread",
        help="a lane for each thread, or for each CPU: who ran where",
    )
    parser.add_argument("--salvage", action="store_true", help="draw what can be read of a damaged trace")
    parser.add_argument("--force", action="store_true", help="replace FILE")
    return parser


def _lanes(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= 500:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of lanes, 1 to 500")
    return number

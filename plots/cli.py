"""`python -m plots TRACE -o FILE`: draw a trace's timeline, or another figure of it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

import analysis
from analysis.arguments import Parser
from analysis.destinations import say
from analysis.errors import GilscopeError
from analysis.memory import give_back

from .timeaxis import parse_time
from .timeline.cpus import cpus
from .timeline.timeline import save, save_timeline, suffix_of
from .timeline.window import AROUND, PlotError
from .web import SUFFIXES as PAGE_SUFFIXES

_TIMELINE: Final = "timeline"
_CPUS: Final = "cpus"
_OF_ALL: Final = {
    "ecdf-waits": ("distributions", "ecdf", "waits"),
    "ecdf-holds": ("distributions", "ecdf", "holds"),
    "handoffs": ("handoffs", "handoff_matrix"),
    "handoff-graph": ("handoff_graph", "handoff_graph"),
    "anatomy": ("anatomy", "wait_anatomy"),
    "blame": ("blame", "blame"),
    "flame": ("flames", "flame"),
    "path": ("path", "path"),
}
"""Figures of a whole trace, whatever the window: in which of `figures` they are, their names, arguments."""

_TIMES = "12ms, 1.5s, 300us, 40ns, or seconds: 0.25; counted from the trace's begin"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status: 0, or 2 after one line on stderr that says what is wrong."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] == "fleet":  # (a trace of that name: ./fleet)
        from .fleet import main as draw_fleet

        return draw_fleet(given[1:])
    options = _parser().parse_args(given)
    try:
        _draw(options)
    except GilscopeError as error:
        say(str(error))
        return 2
    except OSError as error:
        say(f"{error.filename or options.output}: {error.strerror or error}")
        return 2
    return 0


def _draw(options: argparse.Namespace) -> None:
    target: Path = options.output
    page = target.suffix.lower() in PAGE_SUFFIXES
    if not page:
        suffix_of(target)
    if target.exists() and not options.force:
        raise PlotError(f"{target} exists: choose another name, or replace it with --force")
    start, end = _time("--start", options.start), _time("--end", options.end)
    figure = _figure(options)
    trace = analysis.load(options.trace, salvage=options.salvage)
    give_back()  # what only reading needed: most memory is taken from here on
    for skipped in trace.skipped:
        say(f"skipped: {skipped}")
    if page:
        from .web.page import save_page

        save_page(trace, target, start=start, end=end, around=options.around)
    elif figure in _OF_ALL:
        module, name, *more = _OF_ALL[figure]
        draw = getattr(import_module(f".figures.{module}", __package__), name)
        save(draw(trace, *more), target)
    elif figure == _CPUS:
        save(cpus(trace, start=start, end=end, around=options.around), target)
    else:
        save_timeline(
            trace,
            target,
            start=start,
            end=end,
            around=options.around,
            max_lanes=options.lanes,
            patterns=analysis.patterns(trace) if options.patterns else (),
        )


def _figure(options: argparse.Namespace) -> str:
    """Return which figure to draw; PlotError if the other options don't go with it."""
    if options.output.suffix.lower() in PAGE_SUFFIXES:
        return _check_page(options)
    figure: str = options.figure or (_CPUS if options.lanes_by == "cpu" else _TIMELINE)
    if figure == _TIMELINE and options.lanes_by == "cpu":
        return _CPUS
    given = {
        "--start": options.start,
        "--end": options.end,
        "--around": options.around,
        "--lanes": options.lanes,
        "--lanes-by": options.lanes_by,
        "--patterns": options.patterns or None,
    }
    wrong = [option for option, value in given.items() if value is not None]
    if figure in _OF_ALL and wrong:
        raise PlotError(f"--figure {figure} shows all of a trace: leave out {wrong[0]}")
    return figure


def _check_page(options: argparse.Namespace) -> str:
    given = {
        "--figure": options.figure,
        "--lanes": options.lanes,
        "--lanes-by": options.lanes_by,
        "--patterns": options.patterns or None,
    }
    for option, value in given.items():
        if value is not None:
            raise PlotError(f"a page shows every lane and pattern: leave out {option}, or name a .png")
    return _TIMELINE


def _time(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        raise PlotError(f"{option}: {error}") from None


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m plots",
        description="Draw a trace: who held the GIL, who waited for it, when, and why.",
        epilog=f"Times: {_TIMES}. python -m plots fleet PATH… draws many processes: traces and summaries.",
        allow_abbrev=False,
    )
    parser.add_argument("trace", type=Path, metavar="TRACE", help="a trace directory")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="the figure: .png, .svg or .pdf; or .html: a page to zoom and search in",
    )
    parser.add_argument(
        "--figure",
        choices=(_TIMELINE, _CPUS, *_OF_ALL),
        metavar="FIGURE",
        help=f"which figure: {', '.join((_TIMELINE, _CPUS, *_OF_ALL))}; by default the timeline",
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
        help="a lane for each thread (the default), or for each CPU: who ran where",
    )
    parser.add_argument(
        "--patterns", action="store_true", help="mark convoys, hogs and other patterns on the timeline"
    )
    parser.add_argument("--salvage", action="store_true", help="draw what can be read of a damaged trace")
    parser.add_argument("--force", action="store_true", help="replace FILE")
    return parser


def _lanes(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= 500:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of lanes, 1 to 500")
    return number

"""`python -m plots fleet PATH… -o FILE`: the heat map of a fleet, with the worst lines beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analysis.arguments import Parser
from analysis.commands import fleet as command
from analysis.destinations import say
from analysis.errors import GilscopeError
from analysis.fleet import fleet

from .figures.fleet import fleet as draw
from .timeline.timeline import save, suffix_of
from .timeline.window import PlotError


def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit status: 0, or 2 after one line on stderr that says what is wrong."""
    parser = Parser(
        prog="python -m plots fleet", description="Draw what many processes amount to.", allow_abbrev=False
    )
    command.add_sources(parser)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help=".png, .svg or .pdf")
    parser.add_argument("--force", action="store_true", help="replace FILE")
    options = parser.parse_args(arguments)
    try:
        suffix_of(options.output)
        if options.output.exists() and not options.force:
            raise PlotError(f"{options.output} exists: choose another name, or replace it with --force")
        command.check_sources(options)
        found = fleet(
            options.paths,
            by=options.by,
            between=options.between,
            scheduler=options.scheduler,
            how=options.how,
        )
        for problem in found.problems:
            say(problem)
        save(draw(found), options.output)
    except GilscopeError as error:
        say(str(error))
        return 2
    except OSError as error:
        say(f"{error.filename or options.output}: {error.strerror or error}")
        return 2
    return 0

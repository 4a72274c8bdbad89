"""`python -m plots.gallery [NAME ...]`: run the experiments of the GIL talks and draw them."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from analysis.arguments import Parser
from analysis.destinations import say, terminal, visible
from analysis.errors import GilscopeError

from .errors import ExperimentError
from .experiment import Experiment
from .experiments import EXPERIMENTS
from .gallery import Gallery
from .interpreters import Interpreters
from .lab import Lab
from .pages import measured_cell
from .results import Result
from .slide import Form


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status. `atlas` is a command of its own.

    0; 1 if an experiment failed (one that is left out has not); 2 after one line on stderr that says what is
    wrong with the command.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["atlas"]:
        from .atlas import command

        return command.main(given[1:])
    options = _parser().parse_args(given)
    try:
        chosen = _chosen(options.names)
        found = Interpreters(options.python)
        if options.list:
            _list(chosen, Lab(Path(), found))
            return 0
        gallery = Gallery(
            options.output,
            [experiment.NAME for experiment in EXPERIMENTS],
            found,
            options.quick,
            Form(options.paper, options.theme == "dark"),
        )
        gallery.open(force=options.force)
        return _show(gallery, chosen, options.redraw)
    except GilscopeError as error:
        say(str(error))
        return 2
    except OSError as error:
        say(f"{error.filename or options.output}: {error.strerror or error}")
        return 2
    except KeyboardInterrupt:
        say("interrupted; what was finished is kept")
        return 130


def _chosen(names: Sequence[str]) -> list[Experiment]:
    known = {experiment.NAME: experiment for experiment in EXPERIMENTS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ExperimentError(f"no experiment {unknown[0]!r}: there are {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(names)] if names else list(EXPERIMENTS)


def _list(chosen: Sequence[Experiment], lab: Lab) -> None:
    wide = max(len(experiment.NAME) for experiment in chosen)
    for experiment in chosen:
        missing = experiment.needs(lab)
        note = f"  [left out here: {', '.join(missing)}]" if missing else ""
        print(visible(f"{experiment.NAME:{wide}}  {experiment.ABOUT}{note}"))


def _show(gallery: Gallery, chosen: Sequence[Experiment], redraw: bool) -> int:
    console = Console(stderr=True)
    wide = max(len(experiment.NAME) for experiment in chosen)
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    failed, begin = 0, time.monotonic()
    with progress:
        bar = progress.add_task("", total=sum(experiment.SECONDS for experiment in chosen))
        gallery.say = lambda name, text: progress.update(bar, description=f"{name}: {text}")
        for experiment in chosen:
            progress.update(bar, description=experiment.NAME)
            result = gallery.show(experiment, redraw=redraw)
            failed += result.status == "failed"
            progress.console.print(terminal(_line(result, wide)), highlight=False, soft_wrap=True)
            progress.advance(bar, experiment.SECONDS)
    print(visible(f"{gallery.directory / 'index.html'} ({time.monotonic() - begin:.0f} s)"))
    return 1 if failed else 0


def _line(result: Result, wide: int) -> str:
    verdict = f" [shape holds: {result.shape}]" if result.status == "measured" else ""
    return f"{result.name:{wide}}  {measured_cell(result)}{verdict}"


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m plots.gallery",
        description="Run the experiments of the GIL talks on this machine, measure them, and draw them.",
        allow_abbrev=False,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="experiments (default: all)")
    parser.add_argument("--list", action="store_true", help="say which there are, and what they lack here")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("figures"), metavar="DIR", help="default: figures"
    )
    parser.add_argument("--quick", action="store_true", help="each in seconds, too short to show to anybody")
    parser.add_argument("--redraw", action="store_true", help="draw anew what was measured before")
    parser.add_argument("--theme", choices=("light", "dark"), default="light")
    parser.add_argument("--paper", action="store_true", help="as wide as a page or a column, not as a slide")
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="PATH",
        help="an interpreter to use, of any kind; may be given several times (default: those on the PATH)",
    )
    parser.add_argument("--force", action="store_true", help="write into a directory that holds other files")
    return parser

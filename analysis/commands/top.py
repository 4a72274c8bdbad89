"""`python -m tracer top`: watch a recording that goes on, once a second."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from ..arguments import Parser
from ..destinations import say
from ..errors import GilscopeError
from ..live.beside import Summaries, add_summaries, wanted
from ..live.follow import seconds
from ..live.recording import recording_of
from ..live.screen import SORTS, plain, screen
from ..live.second import Second

if TYPE_CHECKING:
    from ..live.metrics import Metrics

BUDGET = 0.03
"""Share of a CPU that looking may take; drawing is some per mille more."""


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit status.

    Raises
    ------
    GilscopeError
        There is no such recording, or the metrics can't be served.
    """
    parser = Parser(
        prog="gilscope top", description="Watch a recording that goes on: the last second, once a second."
    )
    parser.add_argument("target", metavar="PID|DIR", help="a recorded process, or the directory of its trace")
    parser.add_argument(
        "--metrics", metavar="[HOST:]PORT", help="serve the figures for Prometheus too (loopback by default)"
    )
    add_summaries(parser)
    options = parser.parse_args(arguments)
    path = recording_of(options.target)
    summaries = wanted(options)
    if options.tag and summaries.directory is None:
        raise GilscopeError("--tag is for --summaries: name their directory (--summaries DIR)")
    metrics = None
    if options.metrics:
        from ..live.metrics import Metrics, serve

        metrics = Metrics()
        say(f"metrics at {serve(metrics, options.metrics)}")
    show = _on_screen if sys.stdout.isatty() and sys.stdin.isatty() else _as_lines
    with Summaries(path, summaries):
        try:
            show(_counted(path, metrics))
        except KeyboardInterrupt:
            pass
    return 0


def _counted(path: Path, metrics: Metrics | None) -> Iterator[Second | None]:
    # What is counted has to be complete; what is shown may be a part.
    for second in seconds(path, budget=None if metrics is not None else BUDGET):
        if metrics is not None and second is not None:
            metrics.add(second)
        yield second


def _as_lines(windows: Iterator[Second | None]) -> None:
    for second in windows:
        print("nothing recorded" if second is None else plain(second), flush=True)


def _on_screen(windows: Iterator[Second | None]) -> None:
    from rich.live import Live

    console = Console()
    sort, by_code, frozen, fold = 0, False, False, False
    shown: Second | None = None
    with _keys() as keys, Live(console=console, screen=True, auto_refresh=False) as live:
        for second in windows:
            for key in keys():
                if key == "q":
                    return
                sort = (sort + (key == "s")) % len(SORTS)
                by_code ^= key in "ct"
                frozen ^= key in "f "
                fold ^= key == "p"
            if not frozen and second is not None:
                shown = second
            if shown is not None:
                live.update(
                    screen(
                        shown,
                        sort=SORTS[sort],
                        by_code=by_code,
                        height=console.height,
                        frozen=frozen,
                        fold=fold and shown.processes > 1,
                    ),
                    refresh=True,
                )


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[], str]]:
    """While it lasts keys come at once and are not echoed; calling what it gives returns those pressed."""
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)

    def pressed() -> str:
        return os.read(fd, 64).decode("ascii", "ignore") if select.select([fd], [], [], 0)[0] else ""

    tty.setcbreak(fd)
    try:
        yield pressed
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)

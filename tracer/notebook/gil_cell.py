"""`%%gil`: record a cell, and show its timeline, what it says, and the page to zoom and search in."""

from __future__ import annotations

import argparse
import html
import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from analysis.destinations import say
from tracer.errors import GilscopeError, UsageError

if TYPE_CHECKING:
    from analysis import Trace

_PAGE_SIZE: Final = 4_000_000
"""Bytes that the page may add to a notebook."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"%%gil: {message}")


def _parser() -> _Parser:
    parser = _Parser(prog="%%gil", description=__doc__, add_help=False, allow_abbrev=False)
    add = parser.add_argument
    add("-o", "--output", metavar="DIR", help="keep the trace there")
    add("--force", action="store_true", help="replace an existing trace")
    add("--no-png", action="store_true", help="no timeline")
    add("--no-html", action="store_true", help="no page")
    add("--switch-interval", type=float, metavar="S", help="the interpreter's, in seconds, meanwhile")
    add("--no-sched", action="store_true", help="leave out when each thread had a CPU")
    add("--no-native", action="store_true", help="leave out which native code threads ran")
    add("--no-stacks", action="store_true", help="leave out where in the program each wait was")
    return parser


def register(ipython: Any) -> None:
    """Add the magic to an IPython."""

    def gil(line: str, cell: str) -> Trace | None:
        """Record a cell: %%gil [-o DIR] [--force] [--no-png] [--no-html] [--switch-interval S] …"""
        try:
            options = _parser().parse_args(shlex.split(line))
            return _recorded(ipython, cell, options)
        except (GilscopeError, ValueError) as error:
            say(str(error))
            return None

    ipython.register_magic_function(gil, "cell", "gil")


def _recorded(ipython: Any, cell: str, options: argparse.Namespace) -> Trace:
    """Run a cell with a recording around it; return the trace, which is `_` then."""
    import analysis
    import tracer

    title = f"Cell {ipython.execution_count}"
    path = Path(options.output or tempfile.mkdtemp(prefix="gilscope-")).absolute()
    with tracer.trace(
        path,
        switch_interval=options.switch_interval,
        force=options.force,
        sched=not options.no_sched,
        native=not options.no_native,
        stacks=not options.no_stacks,
    ):
        result = ipython.run_cell(cell)
    trace = analysis.load(path)
    if result.success and trace.threads:
        _show(trace, title, png=not options.no_png, page=not options.no_html)
    return trace


def _show(trace: Trace, title: str, *, png: bool, page: bool) -> None:
    from IPython.display import Image, display

    import plots
    from plots.web.page import page as page_of

    if png:
        with tempfile.TemporaryDirectory(prefix="gilscope-") as directory:
            picture = plots.save_timeline(trace, Path(directory) / "timeline.png")
            display(Image(data=picture.read_bytes(), width=1000))  # type: ignore[no-untyped-call]
    if page:
        # A document of its own: its styles and code are not the notebook's, nor the other way round.
        source = html.escape(page_of(trace, size=_PAGE_SIZE, title=title), quote=True)
        frame = f'<iframe sandbox="allow-scripts" srcdoc="{source}" title="gilscope"'
        frame += ' style="width: 100%; height: 720px; border: 0"></iframe>'
        # Not HTML(): that warns of an iframe, and IFrame takes an address only.
        display({"text/html": frame, "text/plain": "gilscope's page"}, raw=True)  # type: ignore[no-untyped-call]

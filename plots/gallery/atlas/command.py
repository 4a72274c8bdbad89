"""`python -m plots.gallery atlas [NAME ...]`: measure which calls let go of the GIL, and write that down."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from analysis.arguments import Parser
from analysis.destinations import say
from analysis.errors import GilscopeError
from analysis.why.code.atlas import FILE
from tracer.launcher import Target
from tracer.releases.recording import interpreter_of

from ..errors import ExperimentError
from . import kept, page
from .library import SOURCES, Library, libraries
from .survey import survey

_RESULTS: Final = SOURCES / "results"
_PAGE: Final = SOURCES.parents[1] / "docs" / "releases.md"


def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit status: 0, or 2 after one line that says what is wrong with it."""
    options = _parser().parse_args(arguments)
    try:
        found = libraries(SOURCES / "gpu" if options.gpu else SOURCES)
        if unknown := [name for name in options.names if name not in found]:
            raise ExperimentError(f"no library {unknown[0]!r} in the atlas: there are {', '.join(found)}")
        found_all = {**libraries(), **found} if options.gpu else found
        chosen = [found[name] for name in dict.fromkeys(options.names)] or list(found.values())
        if not options.redraw:
            targets = [interpreter_of(path) for path in options.python or [None]]
            _measure(chosen, targets, options.results, options.quick)
        sheets = kept.load(options.results)
        if not sheets:
            raise ExperimentError(f"nothing has been measured: there are no results in {options.results}")
        if options.against:
            for where, name, was, now in kept.differences(kept.load(options.against), sheets):
                print(f"{where}: {name}: {was}, now {now}", file=sys.stderr)
        print(page.write(options.output, sheets, list(found_all.values())))
        if options.results == _RESULTS:
            known = kept.known_functions([of for of in sheets if of.minor == page.main_python(sheets)])
            FILE.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    except GilscopeError as error:
        say(str(error))
        return 2
    except OSError as error:
        say(f"{error.filename or options.output}: {error.strerror or error}")
        return 2
    except KeyboardInterrupt:
        say("interrupted; what was finished is kept")
        return 130
    return 0


def _measure(chosen: Sequence[Library], targets: Sequence[Target], results: Path, quick: bool) -> None:
    wide = max(len(library.name) for library in chosen)
    for target in targets:
        for library in chosen:
            begin = time.monotonic()
            found = survey(library, target, quick=quick)
            line = f"{library.name:{wide}}  "
            if found.missing:
                print(f"{line}left out: {found.missing}", file=sys.stderr, flush=True)
                continue
            kept.save(results, kept.sheet(library.name, found, _today(), machine()))
            print(
                f"{line}Python {found.python}: {len(found.calls)} calls, {time.monotonic() - begin:.0f} s",
                file=sys.stderr,
                flush=True,
            )
            for name, why in found.failures.items():
                print(f"{'':{wide}}  {name}: {why}", file=sys.stderr, flush=True)


def machine() -> str:
    """Return what the measurements were taken on, in general words."""
    cpus = len(os.sched_getaffinity(0))
    return f"{platform.system()}, {platform.machine()}, {cpus} CPU{'' if cpus == 1 else 's'}"


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m plots.gallery atlas",
        description="Measure which calls let go of the GIL: those of examples/releases.",
        allow_abbrev=False,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="libraries (default: all that are there)")
    parser.add_argument(
        "--quick", action="store_true", help="in a minute or two, without sizes and slow calls"
    )
    parser.add_argument("--gpu", action="store_true", help="the calls of examples/releases/gpu")
    parser.add_argument("--redraw", action="store_true", help="write the page anew from what was measured")
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="PATH",
        help="an interpreter that has the libraries; may be given several times (default: this one)",
    )
    parser.add_argument(
        "--results", type=Path, default=_RESULTS, metavar="DIR", help="where figures are kept"
    )
    parser.add_argument(
        "--against", type=Path, metavar="DIR", help="say which verdicts differ from other results"
    )
    parser.add_argument("-o", "--output", type=Path, default=_PAGE, metavar="FILE", help="the page to write")
    return parser

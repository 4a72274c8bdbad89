"""`python -m analysis export TRACE --to FORMAT -o FILE`: the trace for another program."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from ..destinations import say
from ..errors import GilscopeError
from ..export.formats import FORMATS, write
from ..tables.trace import Trace

EPILOG: Final = """\
perfetto    ui.perfetto.dev, trace_processor: slices, flows of handoffs and locks, counters, CPUs, patterns
firefox     profiler.firefox.com: markers with the anatomy of waits, stacks of the blame
speedscope  speedscope.app: each thread in time order, the flame graph of blame
chrome      chrome://tracing and what reads its JSON
parquet     pandas, polars, DuckDB: a row for each interval (needs pyarrow)

Marks and spans are in all but the last, marks not in speedscope's. A name that ends in .gz is compressed; the
first four read that."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options; the trace's are added by whoever loads it."""
    parser.add_argument("--to", required=True, choices=FORMATS, metavar="FORMAT", help=", ".join(FORMATS))
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FILE", help="where it goes")
    parser.add_argument("--force", action="store_true", help="replace FILE")


def check(options: argparse.Namespace) -> None:
    """Raise GilscopeError if the file can't be written as asked."""
    if options.output.exists() and not options.force:
        raise GilscopeError(f"{options.output} exists: choose another name, or replace it with --force")
    if options.output.is_dir():
        raise GilscopeError(f"{options.output} is a directory: name a file")


def run(trace: Trace, options: argparse.Namespace) -> int:
    """Write the file."""
    try:
        write(trace, options.output, options.to)
    except OSError as error:
        raise GilscopeError(f"{options.output} can't be written: {error.strerror}") from None
    say(f"{options.to}: {options.output}, {options.output.stat().st_size:,} bytes")
    return 0

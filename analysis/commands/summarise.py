"""`python -m analysis summarise TRACE… -o DIR`: a small summary of each process, to add up with others'."""

from __future__ import annotations

import argparse
import hashlib
import os
from pathlib import Path
from typing import Final

from ..destinations import say
from ..errors import GilscopeError
from ..fleet import schema
from ..fleet.sources import How, find, rows
from ..fleet.tags import tags_of_options
from ..report.limits.quantities import nanoseconds
from ..units import plural

EPILOG: Final = """\
One Parquet file a trace, a row a process (and window); its columns are described in analysis/fleet/schema.py.
`service` and `host` are tags too: they go over what the recording says. GILSCOPE_TAGS="release=1.4,zone=b" in
the environment of a recorded program tags what is recorded, in this command's what it writes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("traces", nargs="+", metavar="TRACE", help="a trace, or a directory of traces")
    add("-o", "--output", required=True, metavar="DIR", help="where the files go; s3://… and the like too")
    add("--tag", action="append", default=[], metavar="NAME=VALUE", help="as in release=1.4; for all of them")
    add("--every", metavar="TIME", help="a row for each stretch of this length, as 60s (default: one row)")
    add("--force", action="store_true", help="replace files that are there")


def check(options: argparse.Namespace) -> None:
    """Raise GilscopeError for what is no tag or no time, or without pyarrow."""
    schema.arrow()
    options.how = how(options)


def how(options: argparse.Namespace) -> How:
    """Return how traces are summarised, from the options that say so."""
    try:
        tags = tags_of_options(options.tag)
    except ValueError as error:
        raise GilscopeError(str(error)) from None
    every = nanoseconds(options.every) if options.every else 0
    if options.every and every < 1_000_000:
        raise GilscopeError(f"--every {options.every}: at least 1ms, or leave it out")
    return How(tags, every)


def run(options: argparse.Namespace) -> int:
    """Write a file for each trace; a trace that can't be read is a line, and the others are written."""
    traces = [source for path in options.traces for source in find(path) if source.is_trace]
    if not traces:
        raise GilscopeError("there is no trace: these are summaries already (python -m analysis fleet)")
    failed = written = 0
    for source in traces:
        target = f"{options.output.rstrip('/')}/{_name(source.path)}.parquet"
        try:
            if not options.force and schema.exists(target):
                raise GilscopeError(f"{target} exists already: replace it with --force")
            table = rows(source, options.how)
            if not len(table):
                raise GilscopeError(f"{source.path}: no recorded process in it")
            schema.make_directory(options.output)
            schema.write(table, target)
        except GilscopeError as error:
            say(str(error))
            failed += 1
        else:
            written += len(table)
    if written:
        summaries, read = plural(written, "summary", "summaries"), plural(len(traces) - failed, "trace")
        say(f"{summaries} of {read} in {options.output}")
    else:
        say(f"nothing was summarised: no summary is written to {options.output}")
    return 2 if failed else 0


def _name(path: str) -> str:
    """Return a name for a trace's file: its own, and what tells it from others of that name."""
    where = os.path.realpath(path) if "://" not in path else path
    digest = hashlib.sha256(os.fsencode(f"{os.uname().nodename}:{where}")).hexdigest()[:10]
    return f"{Path(path).name.removesuffix('.trace').removesuffix('.gilpack')}-{digest}"

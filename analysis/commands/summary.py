"""`python -m analysis TRACE`: the summary, and limits that it must keep."""

from __future__ import annotations

import argparse
import sys
from typing import Final

from ..destinations import json_text, say
from ..measures.statistics import statistics
from ..report.gate import check as check_limits
from ..report.gate import described, parse
from ..tables.trace import Trace

EPILOG: Final = described()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options; the trace's are added by whoever loads it."""
    parser.add_argument(
        "--json", action="store_true", help="for machines; the schema is in analysis/summary.py"
    )
    parser.add_argument(
        "--all", action="store_true", help="a line for each thread, however many; every pattern"
    )
    parser.add_argument(
        "--fail-if",
        action="append",
        default=[],
        metavar="EXPRESSION",
        help="exit with status 1 if this is so, as in 'wait.p99 > 2ms'; give it again for more",
    )


def check(options: argparse.Namespace) -> None:
    """Raise GilscopeError if an expression is none."""
    options.limits = [parse(text) for text in options.fail_if]


def run(trace: Trace, options: argparse.Namespace) -> int:
    """Print the summary; return 1 if a limit is not kept."""
    figures = statistics(trace)
    failures = check_limits(trace, options.limits, figures)
    if options.json:
        from ..report.summary import to_json

        print(json_text(to_json(trace, figures)))
    else:
        from ..report.terminal import print_summary

        print_summary(trace, figures=figures, everything=options.all)
    sys.stdout.flush()
    for failure in failures:
        say(str(failure))
    return 1 if failures else 0

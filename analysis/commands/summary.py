"""`python -m analysis TRACE`: the summary, and limits that it must keep."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..destinations import json_text, say
from ..errors import GilscopeError
from ..measures.statistics import statistics
from ..tables.trace import Trace

if TYPE_CHECKING:
    from ..report.limits.gate import Failure


def epilog() -> str:
    """Return what --help says in the end."""
    from ..report.limits.gate import described

    return described()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options; the trace's are added by whoever loads it."""
    parser.add_argument(
        "--json", action="store_true", help="for machines; the schema is in analysis/report/summary.py"
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
    add = parser.add_argument
    add("--junit", metavar="FILE", help="write a JUnit report: a case for each limit")
    add("--gitlab", metavar="FILE", help="write limits that are not kept as GitLab's code quality report")
    add("--github", action="store_true", help="print them as GitHub's annotations")


def check(options: argparse.Namespace) -> None:
    """Raise GilscopeError if an expression is none."""
    if not options.fail_if and (options.junit or options.gitlab or options.github):
        raise GilscopeError("--junit, --gitlab and --github report limits: give some with --fail-if")
    if options.fail_if:
        from ..report.limits.gate import parse

        options.limits = [parse(text) for text in options.fail_if]


def run(trace: Trace, options: argparse.Namespace) -> int:
    """Print the summary; return 1 if a limit is not kept."""
    figures = statistics(trace)
    failures: list[Failure] = []
    if options.fail_if:
        from ..report.limits.gate import check as check_limits

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
    _report(trace, options, failures)
    return 1 if failures else 0


def _report(trace: Trace, options: argparse.Namespace, failures: list[Failure]) -> None:
    """Write what a CI shows."""
    if not (options.junit or options.gitlab or options.github):
        return
    from ..report.limits import annotations

    if options.junit:
        _write(options.junit, annotations.junit(trace, options.limits, options.fail_if, failures))
    if options.gitlab:
        _write(options.gitlab, annotations.gitlab(trace, failures))
    if options.github:
        for line in annotations.github(trace, failures):
            print(line)


def _write(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise GilscopeError(f"{path} can't be written: {error.strerror}") from None

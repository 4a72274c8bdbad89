"""`python -m analysis whatif TRACE`: another switch interval, other CPUs, no GIL, functions without it."""

from __future__ import annotations

import argparse

from ..destinations import json_text
from ..errors import GilscopeError
from ..memory import use_again
from ..report.limits.quantities import QuantityError, nanoseconds
from ..tables.trace import Trace
from ..whatif.predict import what_if
from ..whatif.replay import Scenario
from ..whatif.report import print_what_if, to_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options; the trace's are added by whoever loads it."""
    parser.add_argument(
        "--interval",
        action="append",
        default=[],
        type=_interval,
        metavar="S",
        help="another switch interval, in seconds or with a unit (1ms); give it again for one more",
    )
    parser.add_argument("--cpus", type=int, metavar="N", help="another number of CPUs")
    parser.add_argument("--no-gil", action="store_true", help="no GIL at all")
    parser.add_argument(
        "--slowdown", type=float, default=1.0, metavar="X", help="with --no-gil: work takes X times as long"
    )
    parser.add_argument(
        "--release-gil",
        action="append",
        default=[],
        metavar="MODULE.FUNCTION",
        help="a function lets go of the GIL while it runs; give it again for more",
    )
    parser.add_argument(
        "--release-thread", action="append", default=[], metavar="NAME", help="a thread never needs the GIL"
    )
    parser.add_argument(
        "--lock-hold-scale",
        action="append",
        default=[],
        type=_scaled,
        metavar="LOCK=X",
        help="a lock is held X times as long; LOCK is what `blame` calls it (with * and ?)",
    )
    parser.add_argument(
        "--without-lock", action="append", default=[], metavar="LOCK", help="a lock is not needed"
    )
    parser.add_argument(
        "--json", action="store_true", help="for machines: analysis/whatif/report.py, to_json"
    )


def check(options: argparse.Namespace) -> None:
    """Raise GilscopeError if the options make no scenario."""
    others = scenarios(options)
    if others and (options.lock_hold_scale or options.without_lock):
        raise GilscopeError("--lock-hold-scale and --without-lock are replayed alone: leave out the others")


def run(trace: Trace, options: argparse.Namespace) -> None:
    """Print what would have been."""
    use_again()
    if options.lock_hold_scale or options.without_lock:
        from ..whatif import lock_report

        of_locks = lock_report.what_if_locks(trace, options.lock_hold_scale, options.without_lock)
        if options.json:
            print(json_text(lock_report.to_json(trace, of_locks)))
        else:
            lock_report.print_lock_what_if(trace, of_locks)
        return
    result = what_if(trace, *scenarios(options))
    if options.json:
        print(json_text(to_json(result)))
    else:
        print_what_if(result)


def scenarios(options: argparse.Namespace) -> list[Scenario]:
    """Return what was asked for: one scenario, or one for each switch interval."""
    if options.no_gil and options.interval:
        raise GilscopeError("--interval with --no-gil: without a GIL there is nothing to switch")
    intervals: list[int | None] = options.interval or [None]
    found = [
        Scenario(
            interval=interval,
            cpus=options.cpus,
            gil=not options.no_gil,
            slowdown=options.slowdown,
            release=tuple(options.release_gil),
            release_threads=tuple(options.release_thread),
        )
        for interval in intervals
    ]
    return [] if found == [Scenario()] else found


def _scaled(text: str) -> tuple[str, float]:
    name, _, factor = text.rpartition("=")
    try:
        found = float(factor)
    except ValueError:
        found = -1.0
    if not name or not 0 <= found < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} should be like 'Lock of Cache=0.5'")
    return name, found


def _interval(text: str) -> int:
    try:
        return nanoseconds(text, default="s")
    except QuantityError as error:
        raise argparse.ArgumentTypeError(str(error)) from None

"""`gilscope attach PID`: record a process that runs already, until Ctrl-C, or for a time."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from analysis.destinations import say, stderr_console
from analysis.live.beside import Summaries, Wanted, add_summaries, wanted
from tracer import directory
from tracer.attach import armed, remote
from tracer.beside.metrics import Metrics
from tracer.command.arguments import Parser
from tracer.command.times import seconds
from tracer.errors import UsageError
from tracer.keep.keeper import Keeper, Policy, Trigger, add_trigger, policy, trigger_of
from tracer.sched import Scheduler, shifted

_POLL: Final = 0.05

Way = armed.Armed | remote.Remote
"""How a process is reached."""


def main(arguments: list[str]) -> int:
    """Run `gilscope attach`; returns the exit status.

    Raises
    ------
    GilscopeError
        The process can't be attached to; nothing of it was changed.
    """
    options = _parser().parse_args(arguments)
    way = find(options.pid)
    if shifted(options.pid) != shifted("self"):
        raise UsageError(
            f"process {options.pid} has a clock of its own (a time namespace):"
            f" attach from there, with nsenter -T -t {options.pid}"
        )
    trace = Path(options.output or f"{options.pid}.trace")
    picture = None if options.no_png else Path(options.png or trace.with_suffix(".png").name)
    directory.check_new(trace, force=options.force)
    if picture is not None and picture.exists() and not options.force:
        raise UsageError(f"{picture} exists: --force replaces it, --png FILE writes elsewhere")
    duration = seconds(options.duration, "--for") if options.duration else None
    kept = policy(options.keep, options.limit, trace)
    trigger = trigger_of(options.snapshot_on, options.snapshot_every)
    summaries = wanted(options, kept.keep)
    if options.tag and summaries.directory is None:
        raise UsageError("--tag is for --summaries: a process that runs already has the tags of its start")
    directory.make(trace, force=options.force)
    _give_to_owner(trace, options.pid)
    scheduler = Scheduler(trace, [f"process {options.pid}"], wanted=not options.no_sched, of=options.pid)
    try:
        _record(way, trace, scheduler, options, duration, kept, trigger, summaries)
    except BaseException:
        _remove_if_empty(trace)
        raise
    _show(trace, picture, quiet=options.quiet)
    return 0


def find(pid: int, *, recorded: bool = False) -> Way:
    """Return how a process is reached that can be attached to, or detached from if `recorded`.

    Raises
    ------
    UsageError
        It can't.
    """
    if not directory.runs(pid):
        raise UsageError(f"there is no process {pid}")
    way = armed.find(pid)
    if way is None:
        return remote.find(pid, recorded=recorded)
    if recorded and way.status()["recording"] != "1":
        raise UsageError(f"process {pid} is not recorded")
    return way


def _give_to_owner(trace: Path, pid: int) -> None:
    """Whoever the process runs as makes its files there."""
    if os.geteuid() == 0:
        status = Path(f"/proc/{pid}").stat()
        os.chown(trace, status.st_uid, status.st_gid)


def _record(
    way: Way,
    trace: Path,
    scheduler: Scheduler,
    options: argparse.Namespace,
    duration: float | None,
    kept: Policy,
    trigger: Trigger,
    summaries: Wanted,
) -> None:
    metrics, written = Metrics(options.metrics, trace), Summaries(trace, summaries)
    with metrics, written, Keeper(trace, kept, trigger), scheduler:
        if scheduler.missing and not options.quiet:
            say(f"no scheduler events: {scheduler.missing}")
        if isinstance(way, armed.Armed):
            way.start(trace, stacks=not options.no_stacks)
        else:
            way.start(
                trace,
                stacks=not options.no_stacks,
                samples=not options.no_samples,
                locks=not options.no_locks,
            )
        how = f"for {options.duration}" if options.duration else "until Ctrl-C"
        cap = "" if options.quiet else kept.said_at_start()
        say(f"process {way.pid} is recorded into {trace}, {how}" + (cap and f"; {cap}"))
        _until(duration, way.pid)
        if directory.runs(way.pid):
            way.stop()


def _remove_if_empty(trace: Path) -> None:
    """Remove the directory where the process was never recorded."""
    if not directory.process_directories(trace):
        shutil.rmtree(trace, ignore_errors=True)


def _show(path: Path, picture: Path | None, *, quiet: bool) -> None:
    import analysis

    directory.trim(path)
    trace = analysis.load(path)
    if not quiet:
        from analysis.report.terminal import print_summary

        with suppress(OSError):
            print_summary(trace, stderr_console())
    if picture is not None:
        import plots

        plots.save_timeline(trace, picture)
    say(f"trace {path}" + (f", timeline {picture}" if picture else ""))


def _parser() -> Parser:
    parser = Parser(
        prog="gilscope attach",
        description="Record a process that runs already: one that is armed, or of Python 3.14 or later."
        " Ctrl-C ends it.",
    )
    add = parser.add_argument
    add("pid", metavar="PID", type=int)
    add("--for", dest="duration", metavar="TIME", help="end by itself after so long: 10s, 500ms, 2min")
    add("-o", "--output", metavar="DIR", help="the trace's directory (default: PID.trace)")
    add("--png", metavar="FILE", help="the timeline (default: PID.png)")
    add("--no-png", action="store_true", help="draw no timeline")
    add("--keep", metavar="TIME", help="keep the last so long, give up what is older: 30s, 5min")
    add("--limit", metavar="SIZE", help="keep the trace below so much, give up the oldest: 200MB, 1GB")
    add_trigger(parser)
    add_summaries(parser)
    add("--metrics", metavar="[HOST:]PORT", help="serve the figures for Prometheus while it is recorded")
    add("--no-sched", action="store_true", help="leave out when each thread had a CPU")
    add("--no-stacks", action="store_true", help="leave out where in the program each wait was")
    add("--no-samples", action="store_true", help="don't look which code runs inside a hold: only at its end")
    add("--no-locks", action="store_true", help="leave out locks other than the GIL, unless it is armed")
    add("--force", action="store_true", help="replace an existing trace and timeline")
    add("-q", "--quiet", action="store_true", help="no summary; errors only")
    return parser


def _until(duration: float | None, pid: int) -> None:
    """Wait so long, until Ctrl-C, or until the process has ended."""
    ended: list[int] = []
    handlers: dict[signal.Signals, Callable[..., object] | int | None] = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        handlers[number] = signal.signal(number, lambda number, _: ended.append(number))
    end = None if duration is None else time.monotonic() + duration
    try:
        while not ended and directory.runs(pid) and (end is None or time.monotonic() < end):
            time.sleep(_POLL if end is None else max(min(_POLL, end - time.monotonic()), 0))
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def detach(pid: int) -> None:
    """End the recording of a process.

    Raises
    ------
    GilscopeError
        It can't be reached, or is not recorded.
    """
    find(pid, recorded=True).stop()

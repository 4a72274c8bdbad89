"""`gilscope` and `python -m tracer`: record a program, then say and draw what it did with the GIL."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.destinations import json_text, say
from tracer import directory, launcher
from tracer.ahead import Ahead
from tracer.errors import GilscopeError, UsageError
from tracer.options import Options, parse
from tracer.sched import Scheduler

if TYPE_CHECKING:
    from analysis import Trace


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status: the program's, or 2 for an error of our own."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if arguments[:1] == ["dump"]:
            return _dump(arguments[1:])
        if arguments[:1] == ["releases"]:
            from tracer.releases import command

            return command.main(arguments[1:])
        options = parse(arguments)
        scheduler = Scheduler(
            options.trace, options.target.command, wanted=options.sched, children=options.children
        )
        status = _record(options, scheduler)
    except GilscopeError as error:
        say(str(error))
        return 2
    try:
        _report(options, scheduler)
    except GilscopeError as error:
        say(str(error))
    except KeyboardInterrupt:
        say(f"interrupted; the trace is in {options.trace}")
    return launcher.exit_like(status)


def _record(options: Options, scheduler: Scheduler) -> int:
    if not launcher.CORE.exists():
        raise UsageError(f"the native core is not built: pip install . (or make build) makes {launcher.CORE}")
    directory.make(options.trace, force=options.force)
    environment = launcher.target_environment(
        options.trace,
        switch_interval=options.switch_interval,
        children=options.children,
        stacks=options.stacks,
    )
    try:
        with Ahead(options.trace), scheduler:
            if scheduler.missing and not options.quiet:
                say(f"no scheduler events: {scheduler.missing}")
            return launcher.run(options.target, environment)
    except UsageError:
        options.trace.rmdir()
        raise


def _report(options: Options, scheduler: Scheduler) -> None:
    if not options.trace.is_dir():
        say(f"{options.trace} has vanished: there is nothing to analyse")
        return
    if directory.is_empty(options.trace):
        options.trace.rmdir()
        say(f"nothing was recorded, so there is no {options.trace}")
        return
    directory.trim(options.trace)
    if not options.target.called and not directory.process_directories(options.trace):
        say("no GIL was recorded, only what the scheduler saw")

    # Only now: none of this is in memory while the program is measured.
    import analysis

    trace = analysis.load(options.trace)
    if not options.quiet:
        _summarise(trace)
    for process in trace.processes:
        if process.failure:
            say(f"the recording of process {process.pid} ended early: {process.failure}")
    if discarded := sum(process.discarded for process in trace.processes):
        say(f"{discarded} events were lost; the trace ends early")
    if scheduler.failure:
        say(f"the scheduler's events end early: {os.strerror(scheduler.failure)}")
    if scheduler.lost:
        say(f"{scheduler.lost} scheduler events were lost; what they said is shown as unknown")
    if options.json is not None:
        _write_json(trace, options.json)
    if options.picture is not None:
        _draw(trace, options.picture)
    if not options.quiet:
        say(f"trace {options.trace}" + (f", timeline {options.picture}" if options.picture else ""))
        if alive := directory.running(options.trace):
            say(f"still running and recorded on: process {', '.join(map(str, alive))}")


def _summarise(trace: Trace) -> None:
    from rich.console import Console

    from analysis.report.terminal import print_summary

    print_summary(trace, Console(stderr=True))


def _write_json(trace: Trace, where: str) -> None:
    from analysis.report.summary import to_json

    text = json_text(to_json(trace))
    if where == "-":
        print(text, flush=True)
        return
    try:
        Path(where).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        say(f"{where} can't be written: {error.strerror}")


def _draw(trace: Trace, path: Path) -> None:
    import plots

    try:
        plots.save_timeline(trace, path)
    except OSError as error:
        say(f"{path} can't be written: {error.strerror}")


def _dump(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0].startswith("-"):
        raise UsageError("dump takes one trace: gilscope dump TRACE")
    import analysis
    from analysis.commands.dump import dump

    try:
        dump(analysis.load(arguments[0]), sys.stdout)
    except BrokenPipeError:
        sys.stderr.close()  # the reader (head, less) has seen enough
    return 0

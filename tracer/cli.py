"""`gilscope` and `python -m tracer`: record a program, then say and draw what it did with the GIL."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from analysis.destinations import json_text, say, stderr_console
from analysis.fleet.tags import joined
from analysis.live.beside import Summaries
from tracer import directory, launcher
from tracer.beside.ahead import Ahead
from tracer.beside.broker import Broker
from tracer.beside.metrics import Metrics
from tracer.command import habits
from tracer.command.options import Options, parse
from tracer.errors import GilscopeError, UsageError
from tracer.keep.keeper import Keeper
from tracer.sched import Scheduler

if TYPE_CHECKING:
    from analysis import Trace


_COMMANDS: Final = {
    "attach": "tracer.attach.attach",
    "detach": "tracer.attach.detach",
    "dump": "analysis.commands.dump",
    "pack": "analysis.commands.pack:pack_main",
    "releases": "tracer.releases.command",
    "snapshot": "tracer.keep.snapshots",
    "top": "analysis.commands.top",
    "unpack": "analysis.commands.pack:unpack_main",
}
"""Words in place of a program, and what takes what follows them: `main` of a module, or what is named."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status: the program's, or 2 for an error of our own."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if arguments and arguments[0] in _COMMANDS:
            habits.check_command(arguments[0], arguments[1:])
            return _command(arguments[0], arguments[1:])
        options = parse(arguments)
        if options.armed is not None:
            _arm(options, options.armed)
        _check_limits(options)
        scheduler = Scheduler(
            options.trace,
            options.target.command,
            wanted=options.sched,
            children=options.children,
            native=options.native,
        )
        status = _record(options, scheduler)
    except GilscopeError as error:
        say(str(error))
        return 2
    failed = False
    try:
        failed = _report(options, scheduler)
    except GilscopeError as error:
        say(str(error))
    except KeyboardInterrupt:
        say(f"interrupted; the trace is in {options.trace}")
    _settle()
    return 1 if failed and status == 0 else launcher.exit_like(status)


def _command(name: str, arguments: list[str]) -> int:
    module, _, function = _COMMANDS[name].partition(":")
    try:
        return int(getattr(import_module(module), function or "main")(arguments))
    except BrokenPipeError:  # head, say, has seen enough
        _settle()
        return 1


def _settle() -> None:
    """Have what nobody takes written to nobody: what fails when Python ends has an exit status of its own."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            try:
                if stream is not None:
                    stream.flush()
            except OSError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _arm(options: Options, place: Path) -> NoReturn:
    """Become the program, armed."""
    _check_core()
    launcher.check_place()
    environment = launcher.armed_environment(
        place,
        switch_interval=options.switch_interval,
        children=options.children,
        stacks=options.stacks,
        samples=options.samples,
        locks=options.locks,
        tags=joined(options.summaries.tags),
    )
    launcher.become(options.target, environment)


def _check_core() -> None:
    if not launcher.CORE.exists():
        raise UsageError(f"the native core is not built: pip install . (or make build) makes {launcher.CORE}")


def _record(options: Options, scheduler: Scheduler) -> int:
    _check_core()
    broker = Broker(options.trace)
    launcher.check_place()
    directory.make(options.trace, force=options.force)
    try:
        keeper = Keeper(options.trace, options.policy, options.trigger)
        metrics = Metrics(options.metrics, options.trace)
        summaries = Summaries(options.trace, options.summaries)
        with metrics, summaries, broker, Ahead(options.trace), keeper, scheduler:
            environment = launcher.target_environment(
                options.trace,
                switch_interval=options.switch_interval,
                children=options.children,
                stacks=options.stacks,
                samples=options.samples,
                locks=options.locks,
                broker=broker.address,
                tags=joined(options.summaries.tags),
            )
            if not options.quiet and (cap := options.policy.said_at_start()):
                say(f"{options.trace}: {cap}")
            if scheduler.missing and not options.quiet:
                say(f"no scheduler events: {scheduler.missing}")
            if scheduler.native_missing and not options.quiet:
                say(f"no samples of native code: {scheduler.native_missing}")
            return launcher.run(options.target, environment, scheduler.ended)
    except GilscopeError:
        with suppress(OSError):  # something is in it
            options.trace.rmdir()
        raise


def _check_limits(options: Options) -> None:
    """Raise UsageError for what is no limit. In a process of its own: numpy stays out of this one."""
    if not options.fail_if:
        return
    code = "import sys; from analysis.report.limits.gate import parse; [parse(text) for text in sys.argv[1:]]"
    done = subprocess.run(
        [sys.executable, "-c", code, *options.fail_if],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise UsageError(done.stderr.strip().rpartition("\n")[2].partition(": ")[2])


def _report(options: Options, scheduler: Scheduler) -> bool:
    """Say, draw and write what was recorded; returns whether a limit was not kept."""
    if not options.trace.is_dir():
        say(f"{options.trace} has vanished: there is nothing to analyse")
        return bool(options.fail_if)
    if directory.is_empty(options.trace):
        options.trace.rmdir()
        say(f"nothing was recorded, so there is no {options.trace}")
        return bool(options.fail_if)
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
    if options.page is not None:
        _write_page(trace, options.page)
    if not options.quiet:
        made = (("timeline", options.picture), ("page", options.page))
        say(", ".join([f"trace {options.trace}", *(f"{what} {path}" for what, path in made if path)]))
        if alive := directory.running(options.trace):
            say(f"still running and recorded on: process {', '.join(map(str, alive))}")
    return _fails(trace, options.fail_if)


def _fails(trace: Trace, limits: Sequence[str]) -> bool:
    """Say which limits are not kept; returns whether there are any."""
    if not limits:
        return False
    import analysis

    failures = analysis.check(trace, limits)
    for failure in failures:
        say(str(failure))
    return bool(failures)


def _summarise(trace: Trace) -> None:
    from analysis.report.terminal import print_summary

    with suppress(OSError):  # a full disk; the exit status is the program's all the same
        print_summary(trace, stderr_console())


def _write_json(trace: Trace, where: str) -> None:
    from analysis.report.summary import to_json

    text = json_text(to_json(trace))
    if where == "-":
        _print(text)
        return
    try:
        Path(where).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        say(f"{where} can't be written: {error.strerror}")


def _print(text: str) -> None:
    try:
        print(text, flush=True)
    except OSError as error:
        say(f"the figures can't be written to stdout: {error.strerror}")


def _draw(trace: Trace, path: Path) -> None:
    import plots

    try:
        plots.save_timeline(trace, path)
    except OSError as error:
        say(f"{path} can't be written: {error.strerror}")


def _write_page(trace: Trace, path: Path) -> None:
    import plots

    try:
        plots.save_page(trace, path)
    except OSError as error:
        say(f"{path} can't be written: {error.strerror}")

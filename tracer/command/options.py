"""The command line: what it means, and everything about it that can be found wrong before anything runs."""

from __future__ import annotations

import argparse
import math
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from analysis.live.beside import Wanted, add_summaries, wanted
from tracer import directory
from tracer.attach.armed import default_directory
from tracer.bootstrap.gilscope_recording import VERSION, split_command_line
from tracer.command import habits
from tracer.command.arguments import Parser
from tracer.errors import UsageError
from tracer.keep.keeper import Policy, Trigger, add_trigger, policy, trigger_of
from tracer.launcher import Target

PICTURES = (".png", ".svg", ".pdf")
PAGES = (".html", ".htm")
_WITH_VALUE = (
    "-o",
    "--output",
    "--png",
    "--html",
    "--switch-interval",
    "--python",
    "--fail-if",
    "--metrics",
    "--summaries",
    "--summaries-every",
    "--tag",
    "--keep",
    "--limit",
    "--snapshot-on",
    "--snapshot-every",
)

_DESCRIPTION = """\
Run a Python program and record, exactly and for every thread, when it holds the GIL, waits for it and runs
without it. When the program has ended: a summary on stderr, the trace in NAME.trace, a timeline in NAME.png.
"""
_EPILOG = """\
NAME comes from the program (threads.py: threads; -m pkg.mod: pkg.mod; -c: command). Options come before the
program; everything after it is its own. The interpreter's own options go where they always go:
python -X dev -m tracer script.py. The exit status is the program's; 2 for an error of gilscope's own.
gilscope dump TRACE prints a trace as text, gilscope pack TRACE makes one file of it, which everything reads
(gilscope unpack FILE: the trace again), gilscope releases STATEMENT says whether it lets go of the GIL.
With --exec the program is any command: gilscope --exec -- make test. Pythons in it are recorded as ever, all
else as the scheduler sees it.
"""


@dataclass(frozen=True)
class Options:
    """A command line that was found right."""

    target: Target
    trace: Path
    picture: Path | None
    page: Path | None
    json: str | None
    fail_if: tuple[str, ...]
    metrics: str | None
    summaries: Wanted
    force: bool
    quiet: bool
    switch_interval: float | None
    children: bool
    sched: bool
    native: bool
    stacks: bool
    samples: bool
    locks: bool
    armed: Path | None
    policy: Policy
    trigger: Trigger


def _parser() -> Parser:
    parser = Parser(
        prog="gilscope",
        usage="gilscope [options] (script.py | -m module | -c code | --exec -- command) [arguments ...]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("-o", "--output", metavar="DIR", help="the trace's directory (default: NAME.trace)")
    add("--png", metavar="FILE", help="the timeline, .png, .svg or .pdf (default: NAME.png beside the trace)")
    add("--no-png", action="store_true", help="draw no timeline")
    add("--html", metavar="FILE", help="write a page too, to zoom and search in: one file, opened from disk")
    add(
        "--json",
        metavar="FILE",
        nargs="?",
        const="-",
        help="print the figures as JSON; --json=FILE: write them",
    )
    add(
        "--fail-if",
        action="append",
        default=[],
        metavar="LIMIT",
        help="exit with status 1 if this is so, as in 'wait.p99 > 2ms'; give it again for more",
    )
    add("--force", action="store_true", help="replace an existing trace and timeline")
    add("-q", "--quiet", action="store_true", help="no summary; errors only")
    add("--switch-interval", metavar="S", help="set the interpreter's switch interval, in seconds")
    add("--no-children", action="store_true", help="leave out the processes that the program starts")
    add(
        "--armed",
        metavar="DIR",
        nargs="?",
        const="",
        help="record nothing, until gilscope attach asks for it; --armed=DIR: its socket is there",
    )
    add("--python", metavar="PATH", help="the interpreter that runs the program (default: this one)")
    add("--exec", action="store_true", help="the program is a command of any kind")
    add("--keep", metavar="TIME", help="keep the last so long, give up what is older: 30s, 5min")
    add("--limit", metavar="SIZE", help="keep the trace below so much, give up the oldest: 200MB, 1GB")
    add_trigger(parser)
    add("--metrics", metavar="[HOST:]PORT", help="serve the figures for Prometheus while it runs")
    add_summaries(parser)
    add("--no-sched", action="store_true", help="leave out when each thread had a CPU")
    add("--no-native", action="store_true", help="leave out which native code threads ran")
    add("--no-stacks", action="store_true", help="leave out where in the program each wait was")
    add("--no-samples", action="store_true", help="don't look which code runs inside a hold: only at its end")
    add("--no-locks", action="store_true", help="leave out the waits for locks other than the GIL")
    add("--version", action="version", version=f"gilscope {VERSION}")
    return parser


def split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Split our options from the program with its arguments. (argparse would look for options in both.)"""
    position = 0
    while position < len(arguments):
        argument = arguments[position]
        if argument == "--":
            return arguments[:position], arguments[position + 1 :]
        if argument == "-" or not argument.startswith("-") or argument[:2] in ("-m", "-c"):
            break
        position += 2 if argument in _WITH_VALUE else 1
    return arguments[:position], arguments[position:]


def parse(arguments: list[str]) -> Options:
    """Read a command line.

    Raises
    ------
    UsageError, RecordingError
        If it can't be done as asked; nothing has been changed.
    """
    ours, program = split(arguments)
    habits.check(ours, program)
    values = _parser().parse_args(ours)
    if values.no_png and values.png:
        raise UsageError("--png and --no-png exclude each other")
    if values.exec and values.python:
        raise UsageError("--exec runs the command itself: --python does not go with it")
    name = _command_name(program) if values.exec else _program_name(program)
    trace = Path(values.output or f"{name}.trace")
    if values.armed is not None:
        values.no_png = True
    if values.no_png:
        picture = None
    elif values.png:
        picture = Path(values.png)
    else:
        picture = trace.with_name(trace.name.removesuffix(".trace") + ".png")
    json = values.json
    if values.armed is None:
        directory.check_new(trace, force=values.force)
    if picture is not None:
        _check_file(picture, "--png", values.force)
        if picture.suffix.lower() not in PICTURES:
            raise UsageError(f"{picture}: a timeline is a .png, .svg or .pdf file")
    page = None if values.html is None else Path(values.html)
    if page is not None:
        _check_file(page, "--html", values.force)
        if page.suffix.lower() not in PAGES:
            raise UsageError(f"{page}: a page is an .html file")
    if json not in (None, "-"):
        _check_file(Path(json), "--json", values.force)
    kept = policy(values.keep, values.limit, trace)
    return Options(
        target=_command(program) if values.exec else _target(values.python, program),
        trace=trace,
        picture=picture,
        page=page,
        json=json,
        fail_if=tuple(values.fail_if),
        metrics=values.metrics,
        summaries=wanted(values, kept.keep),
        force=values.force,
        quiet=values.quiet,
        switch_interval=_switch_interval(values.switch_interval),
        children=not values.no_children,
        sched=not values.no_sched,
        native=not values.no_native,
        stacks=not values.no_stacks,
        samples=not values.no_samples,
        locks=not values.no_locks,
        armed=_armed(values),
        policy=kept,
        trigger=trigger_of(values.snapshot_on, values.snapshot_every),
    )


def _armed(values: argparse.Namespace) -> Path | None:
    """Where the program's socket is to be; raises UsageError for what only a recording has."""
    if values.armed is None:
        return None
    of_recordings = ("output", "png", "html", "json", "force", "no_sched", "keep", "limit", "snapshot_on",
                     "metrics", "summaries")  # fmt: skip
    said = [f"--{name.replace('_', '-')}" for name in of_recordings if getattr(values, name)]
    if said or values.fail_if:
        raise UsageError(f"--armed records nothing yet: give {(said or ['--fail-if'])[0]} to gilscope attach")
    return Path(values.armed) if values.armed else default_directory()


def _program_name(program: list[str]) -> str:
    """What the trace is called after; raises UsageError if there is no such program."""
    if not program:
        raise UsageError("no program to run: name a script, -m module or -c code (gilscope --help)")
    first = program[0]
    if first[:2] in ("-m", "-c"):
        value = first[2:] or (program[1] if len(program) > 1 else None)
        if value is None or (first[:2] == "-m" and not value):
            raise UsageError(f"{first} needs {'a module' if first == '-m' else 'code'} after it")
        return value if first[:2] == "-m" else "command"
    if first == "-":
        return "stdin"
    script = Path(first)
    if not script.exists():
        raise UsageError(f"there is no script {script}")
    if script.is_dir() and not (script / "__main__.py").exists():
        raise UsageError(f"{script} is a directory without a __main__.py: name a script, or -m module")
    if not os.access(script, os.R_OK):
        raise UsageError(f"{script} can't be read")
    return script.resolve().stem if script.name in ("", "..") else script.stem


def _command_name(command: list[str]) -> str:
    if not command:
        raise UsageError("no command to run: gilscope --exec -- command [arguments ...]")
    return Path(command[0]).stem or "command"


def _check_file(path: Path, option: str, force: bool) -> None:
    if path.is_dir():
        raise UsageError(f"{path} is a directory: name a file ({option} FILE)")
    if path.exists() and not force:
        raise UsageError(f"{path} exists: --force replaces it, {option} FILE writes elsewhere")
    if not path.parent.is_dir():
        raise UsageError(f"{path} can't be made: there is no directory {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"{path} can't be written: choose another place ({option} FILE)")


def _switch_interval(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    # The interpreter counts it in whole microseconds, and 0 is not one.
    if not 1e-6 <= seconds <= 3600:
        raise UsageError(f"--switch-interval {text}: from 0.000001 to 3600 seconds (Python's own is 0.005)")
    return seconds


def _target(python: str | None, program: list[str]) -> Target:
    if python is None:
        return Target(sys.executable, tuple(_own_flags()), tuple(program))
    interpreter = shutil.which(python)
    if interpreter is None:
        raise UsageError(f"there is no interpreter {python} to run (--python PATH)")
    return Target(interpreter, (), tuple(program))


def _command(command: list[str]) -> Target:
    path = shutil.which(command[0])
    if path is None:
        raise UsageError(f"there is no command {command[0]} to run (--exec)")
    return Target(path, (), tuple(command[1:]), called=command[0])


def _own_flags() -> list[str]:
    """The options that this interpreter was given (-X, -W, -O ...): the program gets them too."""
    flags = sys.flags
    for is_set, name in ((flags.isolated, "-I"), (flags.ignore_environment, "-E"), (flags.no_site, "-S")):
        if is_set:
            raise UsageError(f"python {name} keeps the recorder out of the program: leave {name} away")
    return split_command_line(sys.orig_argv[1:])[0]

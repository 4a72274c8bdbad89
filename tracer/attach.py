"""`gilscope attach PID`: record a process that runs already, and `detach PID`: end that.

From 3.14 on an interpreter runs a script that another process names, when its main thread is between two
instructions (`sys.remote_exec`, PEP 768). So nothing is injected and nobody is stopped: the program itself
loads the core. A debugger that calls into the process would do for older ones too, and has killed programs.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from analysis.destinations import say
from tracer import directory
from tracer.errors import GilscopeError, UsageError
from tracer.launcher import BOOTSTRAP, CORE

_POLL: Final = 0.05
_PATIENCE: Final = 2.0
"""Seconds without an answer after which it is said that the process is waited for."""

_UNITS: Final = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
_FIRST: Final = (3, 14)
_ASK: Final = "import sys; print(*sys.version_info[:2], int(hasattr(sys, 'remote_exec')))"
_SEND: Final = """\
import sys
try:
    sys.remote_exec(int(sys.argv[1]), sys.argv[2])
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


@dataclass(frozen=True)
class _Process:
    """A process that runs Python 3.14 or later, and its executable, also if the file was replaced."""

    pid: int
    interpreter: str

    @property
    def alive(self) -> bool:
        return directory.runs(self.pid)


def main(arguments: list[str]) -> int:
    """Run `gilscope attach`; returns the exit status.

    Raises
    ------
    GilscopeError
        The process can't be attached to; nothing of it was changed.
    """
    options = _parser().parse_args(arguments)
    process = find(options.pid)
    trace = Path(options.output or f"{options.pid}.trace")
    picture = None if options.no_png else Path(options.png or trace.with_suffix(".png").name)
    directory.check_new(trace, force=options.force)
    if picture is not None and picture.exists() and not options.force:
        raise UsageError(f"{picture} exists: --force replaces it, --png FILE writes elsewhere")
    seconds = _seconds(options.duration) if options.duration else None
    directory.make(trace, force=options.force)
    if os.geteuid() == 0:
        status = Path(f"/proc/{process.pid}").stat()
        os.chown(trace, status.st_uid, status.st_gid)
    try:
        failure = _run_there(
            process,
            f"attach({str(trace.absolute())!r}, {str(CORE)!r},"
            f" {not options.no_stacks!r}, {not options.no_samples!r}, {not options.no_locks!r}, answer)",
            "the recording begins when it does",
        )
    except BaseException:
        if directory.is_empty(trace):
            trace.rmdir()
        raise
    if failure:
        trace.rmdir()
        raise GilscopeError(f"process {process.pid} is not recorded: {failure}")
    how = f"for {options.duration}" if options.duration else "until Ctrl-C"
    say(f"process {process.pid} is recorded into {trace}, {how}")
    _until(seconds, process)
    if process.alive:
        detach(process)
    _show(trace, picture, quiet=options.quiet)
    return 0


def _show(path: Path, picture: Path | None, *, quiet: bool) -> None:
    import analysis

    trace = analysis.load(path)
    if not quiet:
        from rich.console import Console

        from analysis.report.terminal import print_summary

        print_summary(trace, Console(stderr=True))
    if picture is not None:
        import plots

        plots.save_timeline(trace, picture)
    say(f"trace {path}" + (f", timeline {picture}" if picture else ""))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gilscope attach",
        description="Record a process that runs already, of Python 3.14 or later. Ctrl-C ends it.",
    )
    add = parser.add_argument
    add("pid", metavar="PID", type=int)
    add("--for", dest="duration", metavar="TIME", help="end by itself after so long: 10s, 500ms, 2min")
    add("-o", "--output", metavar="DIR", help="the trace's directory (default: PID.trace)")
    add("--png", metavar="FILE", help="the timeline (default: PID.png)")
    add("--no-png", action="store_true", help="draw no timeline")
    add("--no-stacks", action="store_true", help="leave out where in the program each wait was")
    add("--no-samples", action="store_true", help="don't look which code runs inside a hold: only at its end")
    add("--no-locks", action="store_true", help="leave out locks other than the GIL")
    add("--force", action="store_true", help="replace an existing trace and timeline")
    add("-q", "--quiet", action="store_true", help="no summary; errors only")
    return parser


def _seconds(text: str) -> float:
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s|min|h)", text.strip())
    if found is None or not float(found[1]):
        raise UsageError(f"--for {text}: a time, as in 500ms, 10s or 2min")
    return float(found[1]) * _UNITS[found[2]]


def find(pid: int, *, recorded: bool = False) -> _Process:
    """Return the process, when it can be attached to, or detached from if `recorded`."""
    interpreter = f"/proc/{pid}/exe"
    if not directory.runs(pid):
        raise UsageError(f"there is no process {pid}")
    try:
        name = Path(interpreter).readlink().name
        maps = Path(f"/proc/{pid}/maps").read_text(errors="surrogateescape")
    except PermissionError:
        raise UsageError(f"process {pid} belongs to someone else: attach as that user, or as root") from None
    except OSError as error:
        raise UsageError(f"process {pid}: {error.strerror}") from None
    asked = None
    if "python" in name:
        ask = [interpreter, "-I", "-S", "-c", _ASK]
        asked = subprocess.run(ask, capture_output=True, text=True, timeout=60)
    version = asked.stdout.split() if asked is not None and asked.returncode == 0 else []
    if len(version) != 3:
        raise UsageError(f"process {pid} runs {name}, no Python that can be attached to")
    major, minor, remote = map(int, version)
    if (major, minor) < _FIRST or not remote:
        raise UsageError(
            f"process {pid} runs Python {major}.{minor}, which can't be attached to (3.14 can):"
            " start it with python -m tracer, or record a part of it with tracer.start()"
        )
    if recorded and str(CORE) not in maps:
        raise UsageError(f"process {pid} is not recorded")
    return _Process(pid, interpreter)


def detach(process: _Process) -> None:
    """End the recording of a process.

    Raises
    ------
    GilscopeError
        It can't be reached, or goes on.
    """
    failure = _run_there(process, f"detach({str(CORE)!r}, answer)", "the recording ends when it does")
    if failure and process.alive:
        raise GilscopeError(f"process {process.pid} is recorded on: {failure}")


def _run_there(process: _Process, call: str, then: str) -> str:
    """Have the process call something of `gilscope_attach`; returns what went wrong there, or nothing."""
    with tempfile.TemporaryDirectory(prefix="gilscope-") as folder:
        script, answer = Path(folder, "script.py"), Path(folder, "answer")
        script.write_text(
            f"import sys\nsys.path.insert(0, {str(BOOTSTRAP)!r})\ntry:\n"
            f"    answer = {str(answer)!r}\n    from gilscope_attach import attach, detach\n    {call}\n"
            f"finally:\n    sys.path.remove({str(BOOTSTRAP)!r})\n"
        )
        if os.geteuid() == 0:
            status = Path(f"/proc/{process.pid}").stat()
            for path in (folder, script):
                os.chown(path, status.st_uid, status.st_gid)
        sent = subprocess.run(
            [process.interpreter, "-I", "-c", _SEND, str(process.pid), str(script)],
            capture_output=True,
            text=True,
        )
        if trouble := sent.stdout.strip() or sent.stderr.strip().rpartition("\n")[2]:
            raise GilscopeError(f"process {process.pid} can't be attached to: {_explained(trouble)}")
        told = False
        since = time.monotonic()
        while not answer.exists():
            if not process.alive:
                return "it has ended"
            if not told and time.monotonic() - since > _PATIENCE:
                told = True
                say(f"process {process.pid} runs no Python code now, waiting: {then} (Ctrl-C gives up)")
            time.sleep(_POLL)
        return answer.read_text().removeprefix("done").removeprefix("failed: ")


def _explained(trouble: str) -> str:
    if "disabled" in trouble or "not supported" in trouble or "not enabled" in trouble:
        return "it was started with PYTHON_DISABLE_REMOTE_DEBUG or -X disable_remote_debug"
    if trouble.startswith("PermissionError"):
        return "the kernel refuses it (kernel.yama.ptrace_scope; root may, and a parent of the process)"
    return trouble


def _until(seconds: float | None, process: _Process) -> None:
    """Wait so long, until Ctrl-C, or until the process has ended."""
    ended: list[int] = []
    handlers: dict[signal.Signals, Callable[..., object] | int | None] = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        handlers[number] = signal.signal(number, lambda number, _: ended.append(number))
    end = None if seconds is None else time.monotonic() + seconds
    try:
        while not ended and process.alive and (end is None or time.monotonic() < end):
            time.sleep(_POLL if end is None else max(min(_POLL, end - time.monotonic()), 0))
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)

"""Record a job: the program of this folder, in a process of its own or in this one."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tracer import api, directory, launcher
from tracer.beside.ahead import Ahead
from tracer.errors import RecordingError, UsageError
from tracer.releases import program
from tracer.sched import Scheduler

if TYPE_CHECKING:
    from tracer.releases.windows import Measured

_ASK: Final = (
    "import sys; i = getattr(sys, 'implementation', None);"
    " print('%s %d %d' % ((i.name if i else 'cpython',) + tuple(sys.version_info[:2])))"
)
_ASK_FREE: Final = "import sysconfig; print(sysconfig.get_config_var('Py_GIL_DISABLED'))"
_OLDEST: Final = (3, 8)

PROGRAM: Final = Path(__file__).with_name("program.py")


@dataclass(frozen=True)
class Call:
    """One statement to measure.

    Attributes
    ----------
    setup : str
        Is run once, in the statement's thread, after the job's.
    number, repeat : int
        Calls in a run, 0: as many as make it long enough; runs.
    values : mapping
        Further globals of the statement, JSON.
    budget : float
        Seconds after which no further run begins.
    asks : bool
        Whether it is run while another thread wants the GIL, too; without a GIL: in two threads at once.
    keeps : bool
        Whether it is run with memory that is kept, too, where it touches much: that changes how the process
        frees memory from then on.
    """

    name: str
    statement: str
    setup: str = "pass"
    number: int = 0
    repeat: int = 5
    values: Mapping[str, Any] = field(default_factory=dict)
    budget: float = 20.0
    asks: bool = True
    keeps: bool = True


@dataclass(frozen=True)
class Job:
    """Statements with a common setup, and distributions whose versions are wanted.

    `limit`: seconds after which a call is ended, and its process with it; 0: never.
    """

    calls: Sequence[Call]
    setup: str = "pass"
    distributions: Sequence[str] = ()
    limit: int = 0


@dataclass(frozen=True)
class Recorded:
    """What came of a job.

    Attributes
    ----------
    interpreter : mapping
        What `program.interpreter` says, and "versions".
    calls : tuple of Measured
    failures : mapping of str to str
        Why calls could not be measured, by their names.
    """

    interpreter: Mapping[str, Any]
    calls: tuple[Measured, ...]
    failures: Mapping[str, str]


def record(job: Job, target: launcher.Target, *, quiet: bool = True) -> Recorded:
    """Run a job in a process of its own, and read what it did.

    Parameters
    ----------
    target : Target
        The interpreter and its options; its program is replaced.

    Raises
    ------
    UsageError
        The setup fails, or this Python can't be measured: the message says why.
    RecordingError
        The process died, or nothing was recorded.
    """
    from tracer.releases.windows import measured  # numpy, only after the program has run in the command

    with tempfile.TemporaryDirectory(prefix="gilscope-") as place:
        trace, given, answer = (Path(place) / name for name in ("job.trace", "job.json", "answer.json"))
        given.write_text(json.dumps(asdict(job)))
        answer.touch()
        program_of = launcher.Target(
            target.interpreter, target.flags, (str(PROGRAM), str(given), str(answer))
        )
        if not launcher.CORE.exists():
            raise UsageError(
                f"the native core is not built: pip install . (or make build) makes {launcher.CORE}"
            )
        directory.make(trace, force=False)
        environment = launcher.target_environment(
            trace,
            switch_interval=None,
            children=False,
            stacks=True,
            samples=True,
            locks=_is_free_threaded(target.interpreter),
        )
        environment["GILSCOPE_SILENT"] = "1"  # why there is nothing to see is said below, by what is known
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        scheduler = Scheduler(trace, program_of.command, children=False, native=False)
        with Ahead(trace), scheduler:
            status = launcher.run(program_of, environment)
        lines = [json.loads(line) for line in answer.read_text().splitlines()]
        if not lines:
            raise RecordingError(_no_answer(target.interpreter, status))
        about = lines[0]
        if about["error"]:
            raise UsageError(f"{about['error']} (with {target.interpreter})")
        answers = [line for line in lines[1:] if "begins" not in line]
        begun = [line["begins"] for line in lines[1:] if "begins" in line]
        failures = {call["name"]: call["error"] for call in answers if call["error"]}
        if len(begun) > len(answers):
            late = job.limit and status == -signal.SIGALRM
            failures[begun[-1]] = (
                too_late(job.limit) if late else f"the process {_how_it_ended(status)} in it"
            )
        recorded = not directory.is_empty(trace) and bool(directory.process_directories(trace))
        if not recorded and (about["gil"] or about["gil_after_setup"]):
            raise RecordingError(
                f"the GIL of {target.interpreter} can't be seen:"
                f" gilscope --python {target.interpreter} -c pass says why"
            )
        directory.trim(trace)
        good = [call for call in answers if not call["error"] and call["runs"]]
        return Recorded(about, tuple(measured(trace if recorded else None, good)), failures)


def record_here(calls: Sequence[Call], namespace: dict[str, Any]) -> Recorded:
    """Run statements in this process, with these globals, and read what they did.

    Raises
    ------
    RecordingError
        This process is recorded already, or its GIL can't be seen.
    """
    from tracer.releases.windows import measured

    about = {**program.interpreter(), "versions": {}, "gil_after_setup": program.gil_is_on()}
    with tempfile.TemporaryDirectory(prefix="gilscope-") as place:
        trace = Path(place) / "job.trace"
        with _recorded(trace) if about["gil"] else contextlib.nullcontext():
            answers = [program.run_call(asdict(replace(call, keeps=False)), namespace) for call in calls]
        failures = {call["name"]: call["error"] for call in answers if call["error"]}
        good = [call for call in answers if not call["error"]]
        return Recorded(about, tuple(measured(trace if about["gil"] else None, good)), failures)


@contextlib.contextmanager
def _recorded(trace: Path) -> Iterator[None]:
    api.start(trace)
    try:
        yield
    finally:
        api.stop()


@cache
def _is_free_threaded(interpreter: str) -> bool:
    """Whether it may run without a GIL, so that its other locks are what its threads wait for."""
    said = subprocess.run([interpreter, "-c", _ASK_FREE], capture_output=True, text=True, timeout=60).stdout
    return said.strip() == "1"


def too_late(limit: int) -> str:
    """Why there is no answer from a call that did not end within some seconds."""
    return f"it does not end in {limit} s"


def _no_answer(interpreter: str, status: int) -> str:
    return f"{interpreter} {_how_it_ended(status)} before it could run anything"


def _how_it_ended(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"died of {signal.Signals(-status).name}"
    except ValueError:
        return f"died of signal {-status}"


def interpreter_of(python: str | None) -> launcher.Target:
    """Return the interpreter that a command line names; this one by default.

    Raises
    ------
    UsageError
        There is none of that name, or it is no CPython that can be measured.
    """
    if python is None:
        return launcher.Target(sys.executable, (), ())
    found = shutil.which(python)
    if found is None:
        raise UsageError(f"there is no interpreter {python} to run (--python PATH)")
    try:
        said = subprocess.run([found, "-c", _ASK], capture_output=True, text=True, timeout=60).stdout.split()
    except (OSError, subprocess.TimeoutExpired):
        said = []
    if said[:1] != ["cpython"] or tuple(map(int, said[1:])) < _OLDEST:
        name, version = "CPython" if said[:1] == ["cpython"] else "".join(said[:1]), ".".join(said[1:])
        what = f"{python} is {name} {version}" if said else f"{python} is no Python"
        raise UsageError(f"{what}: it takes a CPython from {_OLDEST[0]}.{_OLDEST[1]} on (--python PATH)")
    return launcher.Target(found, (), ())

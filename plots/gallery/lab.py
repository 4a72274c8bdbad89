"""Where experiments run: programs from `examples/`, plain or recorded, on chosen CPUs, any interpreter."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import analysis

from .errors import ExperimentError
from .interpreters import Interpreters

if TYPE_CHECKING:
    from analysis.tables.trace import Trace

T = TypeVar("T")

_ROOT: Final = Path(__file__).resolve().parents[2]
_NUMBER: Final = re.compile(r"^(\S.*?)\s{2,}([\d.]+(?:e-?\d+)?) \S", re.MULTILINE)
_TIMEOUT: Final = 60.0


@dataclass(frozen=True)
class Output:
    """What a program printed: lines "name  1.5 s"."""

    text: str

    def __getitem__(self, name: str) -> float:
        for found, number in _NUMBER.findall(self.text):
            if found == name:
                return float(number)
        raise ExperimentError(f"no {name!r} in the program's output: {self.text.strip()[:200]!r}")


@dataclass
class Lab:
    """Runs programs for one experiment.

    Parameters
    ----------
    directory : Path
        Where its traces are kept.
    interpreters : Interpreters
    quick : bool
        Everything as small as it still makes sense.
    say : callable
        Is told what is being done, in some words.
    """

    directory: Path
    interpreters: Interpreters = field(default_factory=Interpreters)
    quick: bool = False
    say: Callable[[str], None] = lambda text: None

    def __post_init__(self) -> None:
        self._traces: dict[str, Trace] = {}

    @cached_property
    def cpus(self) -> tuple[int, ...]:
        """The CPUs that this process may use."""
        return tuple(sorted(os.sched_getaffinity(0)))

    def pick(self, full: T, quick: T) -> T:
        """Return what to use in full, or in the quick form."""
        return quick if self.quick else full

    def lacks(self, *interpreters: str, cpus: int = 1, scheduling: bool = False) -> list[str]:
        """Return which of these needs can't be met here, in words."""
        missing = [
            f"no {name} (on the PATH, or --python)" for name in interpreters if name not in self.interpreters
        ]
        if len(self.cpus) < cpus:
            missing.append("needs a second CPU")
        if scheduling and no_scheduling():
            missing.append(no_scheduling())
        return missing

    def script(self, name: str) -> Path:
        """Return the path of a program in `examples/`."""
        path = _ROOT / "examples" / f"{name}.py"
        if not path.is_file():
            raise ExperimentError(f"{path} is missing: the gallery runs from the project's source tree")
        return path

    def run(
        self,
        program: str,
        *arguments: object,
        python: str = "",
        cpus: Sequence[int] | None = None,
        timeout: float = _TIMEOUT,
    ) -> Output:
        """Run a program plainly; return what it printed.

        Parameters
        ----------
        python : str
            A kind of interpreter; this one by default.
        cpus : sequence of int, optional
            Pin it to these.

        Raises
        ------
        ExperimentError
            It failed, or took longer than `timeout` seconds.
        """
        command = [self._path(python), str(self.script(program)), *map(str, arguments)]
        return self.call(command, cpus, timeout)

    def record(
        self,
        name: str,
        program: str,
        *arguments: object,
        python: str = "",
        command: bool = False,
        cpus: Sequence[int] | None = None,
        timeout: float = _TIMEOUT,
    ) -> Output:
        """Record a program; the trace is `self.trace(name)`. With `command` by its scheduling alone."""
        target = [str(self.script(program)), *map(str, arguments)]
        tracer = _tracer(self._path_of(name))
        if command:
            tracer += ["--exec", "--", self._path(python)]
        elif python:
            tracer += ["--python", self._path(python)]
        self.directory.mkdir(parents=True, exist_ok=True)
        self._traces.pop(name, None)
        return self.call([*tracer, *target], cpus, timeout)

    def trace(self, name: str) -> Trace:
        """Return a trace that was recorded under this name."""
        if name not in self._traces:
            self._traces[name] = analysis.load(self._path_of(name))
        return self._traces[name]

    def interleaved(self, runs: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
        """Call each measurement in turn, so many times: what else the machine does meets them all."""
        found: dict[str, list[float]] = {name: [] for name in runs}
        for number in range(repeats):
            for name, measure in runs.items():
                self.say(f"{name}, run {number + 1} of {repeats}")
                found[name].append(measure())
        return found

    def _path_of(self, name: str) -> Path:
        return self.directory / f"{name}.trace"

    def _path(self, python: str) -> str:
        return self.interpreters[python].path if python else sys.executable

    def call(
        self, command: Sequence[str], cpus: Iterable[int] | None = None, timeout: float = _TIMEOUT
    ) -> Output:
        """Run a command; return what it printed. Errors are those of `run`."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GILSCOPE_")}
        inherited = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join([str(_ROOT), *([inherited] if inherited else [])])
        what = " ".join(Path(part).name if os.sep in part else part for part in command[1:4])
        try:
            with pinned(cpus):
                child = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    env=environment,
                    start_new_session=True,  # so that its children can be ended with it
                )
        except OSError as error:
            raise ExperimentError(f"{command[0]}: {error.strerror or error}") from None
        try:
            stdout, stderr = child.communicate(timeout=timeout)
        except BaseException as error:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            if isinstance(error, subprocess.TimeoutExpired):
                raise ExperimentError(f"{what}: still running after {timeout:.0f} s") from None
            raise
        if child.returncode:
            why = (stderr.strip().splitlines() or ["no message"])[-1]
            raise ExperimentError(f"{what}: exit status {child.returncode}: {why}")
        return Output(stdout)


@cache
def no_scheduling() -> str:
    """Return why it can't be recorded when threads have a CPU; empty if it can."""
    with tempfile.TemporaryDirectory() as directory:
        trace = Path(directory) / "probe.trace"
        Lab(Path(directory)).call([*_tracer(trace), "-c", "pass"])
        if analysis.load(trace).scheduling is not None:
            return ""
    return "no leave to record when threads have a CPU (kernel.perf_event_paranoid up to 2 gives it)"


def _tracer(trace: Path) -> list[str]:
    return [sys.executable, "-m", "tracer", "-q", "--no-png", "--force", "-o", str(trace)]


@contextmanager
def pinned(cpus: Iterable[int] | None) -> Iterator[None]:
    """Let what this thread starts inside the block run on these CPUs only."""
    if cpus is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)

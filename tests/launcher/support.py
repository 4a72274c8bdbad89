"""Running the launcher as a user does, in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import analysis

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 120


def environment(**changes: str) -> dict[str, str]:
    """The tests' own environment, with the tree's packages in reach of a Python started elsewhere."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GILSCOPE_")}
    return {**clean, "PYTHONPATH": str(ROOT), **changes}


@dataclass
class Run:
    """A launcher that has ended, and where it ran."""

    directory: Path
    returncode: int
    stdout: str
    stderr: str

    def load(self, name: str = "program.trace") -> analysis.Trace:
        """The trace, which must hold every invariant."""
        trace = analysis.load(self.directory / name)
        assert analysis.validate(trace) == []
        return trace


class Launcher:
    """Starts programs under gilscope in a directory of a test's own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def write(self, source: str, name: str = "program.py") -> Path:
        path = self.directory / name
        path.write_text(textwrap.dedent(source))
        return path

    def command(self, *arguments: str | Path, flags: tuple[str, ...] = ()) -> list[str]:
        return [sys.executable, *flags, "-m", "tracer", *map(str, arguments)]

    def run(
        self,
        *arguments: str | Path,
        flags: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
        status: int | None = None,
        **options: Any,
    ) -> Run:
        """Run the command line as it is; `status` is the exit status to expect."""
        done = subprocess.run(
            self.command(*arguments, flags=flags),
            cwd=self.directory,
            env=environment() if env is None else dict(env),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            **options,
        )
        if status is not None:
            assert done.returncode == status, done.stderr
        return Run(self.directory, done.returncode, done.stdout, done.stderr)

    def record(
        self,
        source: str,
        *arguments: str,
        options: tuple[str, ...] = (),
        status: int = 0,
        **others: Any,
    ) -> Run:
        """Record a program, quietly: no summary, no picture; the trace is program.trace."""
        script = self.write(source).name
        return self.run("-q", "--no-png", *options, script, *arguments, status=status, **others)


def free_threaded(interpreters: list[str]) -> str | None:
    """Return an interpreter whose GIL can be off, if there is one."""
    code = "import sysconfig; print(sysconfig.get_config_var('Py_GIL_DISABLED') or 0)"
    for path in [*interpreters, *filter(None, map(shutil.which, ("python3.13t", "python3.14t")))]:
        if subprocess.run([path, "-c", code], capture_output=True, text=True).stdout == "1\n":
            return path
    return None

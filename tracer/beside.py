"""Processes beside the launcher that look at the recording while it goes on: `--metrics`, `--summaries`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Final

from analysis.destinations import say
from tracer.errors import UsageError

_PATIENCE: Final = 10.0
"""Seconds that it has to look a last time."""


class Beside:
    """While this lasts a module of the analysis runs in a process of its own; without arguments none does.

    Its first line on standard output says that it is ready, or "error: " and why it can't be; it ends when
    its standard input does.
    """

    def __init__(self, module: str, arguments: list[str]) -> None:
        self.module = module
        self.arguments = arguments
        self.said = ""
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Beside:
        """Begin.

        Raises
        ------
        UsageError
            It can't do what it is for: the line that it said.
        """
        if not self.arguments:
            return self
        # -P: the program's directory may have modules of any name.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", self.module, *self.arguments],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        self.said = process.stdout.readline().strip()
        self._process = process
        if not self.said or self.said.startswith("error: "):
            self._end()
            raise UsageError(self.said.removeprefix("error: ") or f"{self.module} can't run")
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        """Let it look a last time, and go."""
        process, self._process = self._process, None
        if process is None or process.stdin is None or process.stdout is None:
            return
        process.stdin.close()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


class Metrics(Beside):
    """While this lasts the figures of a recording are served at [HOST:]PORT; None: they are not."""

    def __init__(self, where: str | None, trace: Path) -> None:
        super().__init__("analysis.commands.metrics", [] if where is None else [str(trace), where])

    def __enter__(self) -> Metrics:
        """Begin to serve, and say where."""
        super().__enter__()
        if self.said:
            say(f"metrics at {self.said}")
        return self


class Summaries(Beside):
    """While this lasts a file of summaries is written to a directory every so many seconds; None: none is."""

    def __init__(self, where: str | None, trace: Path, every: float) -> None:
        arguments = [] if where is None else [str(trace), where, repr(every)]
        super().__init__("analysis.commands.summaries", arguments)

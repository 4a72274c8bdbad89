"""`--metrics`: the figures of a recording for Prometheus, served by a process beside the launcher."""

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


class Metrics:
    """While this lasts the figures of a recording are served at [HOST:]PORT; None: they are not."""

    def __init__(self, where: str | None, trace: Path) -> None:
        self.where = where
        self.trace = trace
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Metrics:
        """Begin to serve.

        Raises
        ------
        UsageError
            It is no address, it is taken, or prometheus_client is not installed.
        """
        if self.where is None:
            return self
        # -P: the program's directory may have modules of any name.
        command = [sys.executable, "-P", "-m", "analysis.commands.metrics", str(self.trace), self.where]
        process = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        self._process = process
        if not said.startswith("http"):
            self._end()
            raise UsageError(said.removeprefix("error: ") or "the metrics can't be served")
        say(f"metrics at {said}")
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

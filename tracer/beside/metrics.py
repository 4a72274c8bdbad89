"""The figures of a recording, served while it goes on by a process beside the launcher: `--metrics`."""

from __future__ import annotations

from pathlib import Path

from analysis.destinations import say
from analysis.live.beside import Beside


class Metrics(Beside):
    """While this lasts the figures of a recording are served at [HOST:]PORT; None: they are not."""

    def __init__(self, where: str | None, trace: Path) -> None:
        super().__init__("analysis.commands.beside.metrics", [] if where is None else [str(trace), where])

    def __enter__(self) -> Metrics:
        """Begin to serve, and say where."""
        super().__enter__()
        if self.said:
            say(f"metrics at {self.said}")
        return self

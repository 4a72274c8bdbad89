"""Processes beside the one that records or watches: they look at the recording while it goes on.

(Without numpy: the launcher begins them too.)
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from ..destinations import say
from ..errors import GilscopeError
from ..fleet.tags import tags_of_options

_PATIENCE: Final = 30.0
"""Seconds that it has to look a last time."""

MINUTE: Final = 60.0
_LEAST: Final = 1.0
_MOST: Final = 86400.0
_MARGIN: Final = 2.0
"""A stretch is looked at within so many seconds after it has ended."""


class Beside:
    """While this lasts a module of the analysis runs in a process of its own; without arguments none does.

    Its first line on standard output says that it is ready, or "error: " and why it can't be; it ends when
    its standard input does.
    """

    def __init__(self, module: str, arguments: Sequence[str]) -> None:
        self.module = module
        self.arguments = arguments
        self.said = ""
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Beside:
        """Begin.

        Raises
        ------
        GilscopeError
            It can't do what it is for: the line that it said.
        """
        if not self.arguments:
            return self
        # -P: the program's directory may have modules of any name.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", self.module, *self.arguments],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        self.said = process.stdout.readline().strip()
        self._process = process
        if not self.said or self.said.startswith("error: "):
            self._end()
            raise GilscopeError(self.said.removeprefix("error: ") or f"{self.module} can't run")
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
        if process.returncode < 0:  # else it said itself what was wrong
            how = signal.strsignal(-process.returncode)
            say(f"{self.module} was ended ({how}): what it had not told of by then is missing")


@dataclass(frozen=True)
class Wanted:
    """Summaries that are to be written while a recording goes on; `directory` None: none are."""

    directory: str | None
    every: float
    """Seconds."""
    tags: Mapping[str, str]


def add_summaries(parser: argparse.ArgumentParser) -> None:
    """Add their options to a command line's."""
    add = parser.add_argument
    add(
        "--summaries", metavar="DIR", help="write a small summary a minute, for analysis fleet, while it runs"
    )
    add("--summaries-every", metavar="SECONDS", help="how often (default: 60, or half of --keep)")
    add("--tag", action="append", default=[], metavar="NAME=VALUE", help="as in release=1.4, for the fleet")


def wanted(values: argparse.Namespace, keep: float | None = None) -> Wanted:
    """Return what these options say.

    Parameters
    ----------
    values : Namespace
    keep : float, optional
        Seconds that the recording is kept: a stretch has to be looked at before it is given up.

    Raises
    ------
    GilscopeError
        They say nothing that can be.
    """
    try:
        tags = tags_of_options(values.tag)
    except ValueError as error:
        raise GilscopeError(str(error)) from None
    text, most = values.summaries_every, _MOST if keep is None else keep - _MARGIN
    if values.summaries is None:
        if text is not None:
            raise GilscopeError(
                "--summaries-every is for --summaries: name their directory (--summaries DIR)"
            )
        return Wanted(None, MINUTE, tags)
    if most < _LEAST:
        raise GilscopeError(
            f"--keep {values.keep}: too short for --summaries: {_LEAST + _MARGIN:.0f}s or more"
        )
    if text is None:
        return Wanted(values.summaries, min(MINUTE, max(most / 2, _LEAST)), tags)
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not _LEAST <= seconds <= _MOST:
        raise GilscopeError(f"--summaries-every {text}: from 1 to 86400 seconds")
    if seconds > most:
        raise GilscopeError(
            f"--summaries-every {text}: --keep {values.keep} gives up what is older than that;"
            f" {most:g} at most, or a longer --keep"
        )
    return Wanted(values.summaries, seconds, tags)


class Summaries(Beside):
    """While this lasts a file of summaries is written every so many seconds, if that is wanted."""

    def __init__(self, trace: Path, how: Wanted) -> None:
        tags = (f"{name}={value}" for name, value in how.tags.items())
        arguments = [] if how.directory is None else [str(trace), how.directory, repr(how.every), *tags]
        super().__init__("analysis.commands.beside.summaries", arguments)

"""Summaries of a recording while it goes on: of each stretch of it a file, as `summarise` writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ..fleet import schema
from ..fleet.summarise import summaries
from ..tables.load import known_from, load
from .second import lasting, now

SETTLED: Final = 1_000_000_000
"""ns that a stretch is over for when it is told of: which code a hold or a wait that reaches over its end
belongs to is known by then, if it is not a very long one."""


class Summaries:
    """Writes a file of summaries into a directory (one of fsspec's too) for each stretch of a recording.

    Parameters
    ----------
    trace : Path
        The recording.
    directory : str
    begin : int
        ns of CLOCK_MONOTONIC: where the first stretch begins.
    every : int
        ns of a stretch.
    tags : mapping
    """

    def __init__(self, trace: Path, directory: str, begin: int, every: int, tags: Mapping[str, str]) -> None:
        self._trace = trace
        self._directory = directory.rstrip("/")
        self._begin = begin
        self._every = every
        self._tags = tags
        self.lost = 0
        """ns of which nothing was left when they were to be told of."""

        schema.make_directory(directory)

    def due(self, now: int) -> bool:
        """Whether a stretch is over."""
        return now - self._begin >= self._every

    def write(self, until: int) -> str | None:
        """Write what happened since the last time; return the file's path, None: nothing did.

        Raises
        ------
        GilscopeError
            There is no trace, or the file can't be written: the next one will tell of this time too.
        """
        begin = self._begin
        if until <= begin:
            return None
        around = lasting(load(self._trace, salvage=True, within=(begin, max(until, now()))), until)
        rows = []
        if around.end > begin and around.begin < until:
            rows = list(summaries(around.between(begin, until), self._tags))
        path = None
        if rows:
            name = self._trace.name.removesuffix(".trace")
            path = f"{self._directory}/{name}-{rows[0]['begin_ns']}.parquet"
            schema.write(schema.table(rows), path)
        given_up = known_from(self._trace)
        if given_up is not None and given_up > begin:
            self.lost += min(given_up, until) - begin
        self._begin = until
        return path

"""Summaries of a recording while it goes on: of each stretch of it a file, as `summarise` writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ..errors import GilscopeError
from ..fleet import schema
from ..fleet.summarise import summaries
from ..tables.load import load
from .second import lasting

MINUTE: Final = 60_000_000_000


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
        if "://" not in directory:
            try:
                Path(directory).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise GilscopeError(f"{directory}: {error.strerror}") from None

    def due(self, now: int) -> bool:
        """Whether a stretch is over."""
        return now - self._begin >= self._every

    def write(self, now: int) -> str | None:
        """Write what happened since the last time, up to now; return the file's path, None: nothing did.

        Raises
        ------
        GilscopeError
            There is no trace, or the file can't be written: the next one will tell of this time too.
        """
        around = lasting(load(self._trace, salvage=True, within=(self._begin, now)), now)
        rows = []
        if around.end > self._begin and around.begin < now:
            rows = list(summaries(around.between(self._begin, now), self._tags))
        path = None
        if rows:
            path = (
                f"{self._directory}/{self._trace.name.removesuffix('.trace')}-{rows[0]['begin_ns']}.parquet"
            )
            schema.write(schema.table(rows), path)
        self._begin = now
        return path

"""What is done with a part of a fleet's sources, wherever that is: functions that a worker of Dask runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import GilscopeError
from . import schema
from .merge import Sums, merge, sums
from .sources import How, Source, rows

if TYPE_CHECKING:
    import pyarrow

Identity = tuple[str, int, int, int, int]
"""host, pid, started_ns, begin_ns, end_ns."""

_NOBODYS: Identity = ("", 0, 0, 0, 0)


@dataclass(frozen=True)
class Between:
    """A time of UTC, ns since 1970: summaries count whose middle lies in [begin, end)."""

    begin: int
    end: int

    def holds(self, identity: Identity) -> bool:
        """Whether a row counts."""
        *_, begin, end = identity
        return self.begin <= (begin + end) // 2 < self.end


@dataclass(eq=False)
class Scan:
    """What a part of the sources has: who each row is, and the rows of traces, which are not made twice."""

    sources: list[Source]
    identities: list[list[Identity]] = field(default_factory=list)
    """For each source, in the order of its rows."""
    made: dict[int, pyarrow.Table] = field(default_factory=dict)
    """The rows of those sources that are traces."""
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Found:
    """What whoever asks needs to know of a scan."""

    identities: list[list[Identity]]
    problems: list[str]


def scan(sources: Sequence[Source], how: How) -> Scan:
    """Read who is in these sources, and summarise those that are traces. What can't be read is a problem."""
    made = Scan(list(sources))
    for at, source in enumerate(sources):
        table = None
        try:
            table = rows(source, how) if source.is_trace else schema.read(source.path, schema.IDENTITY)
        except GilscopeError as error:
            made.problems.append(str(error))
        if table is not None and source.is_trace:
            made.made[at] = table
        made.identities.append(_identities(table) if table is not None else [])
    return made


def _identities(table: pyarrow.Table) -> list[Identity]:
    columns = (table[name].to_pylist() for name in schema.IDENTITY)
    return list(zip(*columns, strict=True))


def found(of: Scan) -> Found:
    """Return what is small of a scan."""
    return Found(of.identities, of.problems)


def add(of: Scan, kept: Sequence[Sequence[int] | None], keys: tuple[str, ...]) -> Sums:
    """Add a scan's rows up: of each source those that are kept, None: all."""
    pa = schema.arrow()
    tables, problems = [], []
    for at, (source, rows_kept) in enumerate(zip(of.sources, kept, strict=True)):
        if not of.identities[at] or (rows_kept is not None and not rows_kept):
            continue
        try:
            table = of.made[at] if at in of.made else schema.read(source.path)
        except GilscopeError as error:
            problems.append(str(error))
            continue
        tables.append(table if rows_kept is None else table.take(pa.array(rows_kept, pa.int64())))
    every = pa.concat_tables(tables) if tables else schema.table([])
    total = sums(every, keys)
    return Sums(**{**vars(total), "problems": (*problems, *_ahead_of_time(every))})


def _ahead_of_time(table: pyarrow.Table) -> list[str]:
    """Say which hosts' times lie in the future of whoever summarised them."""
    worst: dict[str, int] = {}
    for host, end, made in zip(
        *(table[name].to_pylist() for name in ("host", "end_ns", "summarised_ns")), strict=True
    ):
        if made is not None and end - made > 60_000_000_000:
            worst[host] = max(worst.get(host, 0), end - made)
    return [
        f"host {host}: its times lie up to {ahead / 3.6e12:.1f} h after the moment it was summarised at: a"
        " clock is wrong; what goes by time goes by its clock"
        for host, ahead in worst.items()
    ]


def added(parts: Sequence[Sums]) -> Sums:
    """Add sums up."""
    return merge(parts)

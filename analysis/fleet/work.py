"""What is done with a part of a fleet's sources, wherever that is: functions that a worker of Dask runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ..errors import GilscopeError
from . import schema
from .merge import Sums, merge, sums
from .sources import How, Source, rows

if TYPE_CHECKING:
    import pyarrow

Identity = tuple[str, int, int, int, int]
"""host, pid, started_ns, begin_ns, end_ns."""

_ROWS: Final = 128
"""That are added up at a time."""


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
    """What a part of the sources has: who each row is, and the rows of traces, which are not made twice.

    A worker keeps the scans of all its parts until it is known what counts, so the rows are packed.
    """

    sources: list[Source]
    identities: list[list[Identity]] = field(default_factory=list)
    """For each source, in the order of its rows."""
    made: dict[int, bytes] = field(default_factory=dict)
    """The rows of those sources that are traces: `schema.packed`."""
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Found:
    """What whoever asks needs to know of a scan."""

    identities: list[list[Identity]]
    problems: list[str]


def check() -> None:
    """Raise GilscopeError, or ImportError already for this function, where summaries can't be made."""
    schema.arrow()


def scan(sources: Sequence[Source], how: How) -> Scan:
    """Read who is in these sources, and summarise those that are traces. What can't be read is a problem."""
    made = Scan(list(sources))
    for at, source in enumerate(sources):
        table = None
        try:
            table = rows(source, how) if source.is_trace else schema.read(source.path, schema.IDENTITY)
        except GilscopeError as error:
            made.problems.append(str(error))
        except Exception as error:  # whatever it is: one of thousands must not be the end of all
            made.problems.append(f"{source.path}: {type(error).__name__}: {error}")
        if table is not None and source.is_trace:
            made.made[at] = schema.packed(table)
        made.identities.append(_identities(table) if table is not None else [])
    return made


def _identities(table: pyarrow.Table) -> list[Identity]:
    columns = (table[name].to_pylist() for name in schema.IDENTITY)
    return list(zip(*columns, strict=True))


def found(of: Scan) -> Found:
    """Return what is small of a scan."""
    return Found(of.identities, of.problems)


def add(scans: Sequence[Scan], kept: Sequence[Sequence[Sequence[int] | None]], keys: tuple[str, ...]) -> Sums:
    """Add scans' rows up: of each source of each scan those that are kept, None: all."""
    problems: list[str] = []
    parts = [
        Sums(**{**vars(sums(batch, keys)), "problems": tuple(_ahead_of_time(batch))})
        for batch in _batches(_tables(scans, kept, problems))
    ]
    total = merge(parts or [sums(schema.table([]), keys)])
    return Sums(**{**vars(total), "problems": (*problems, *total.problems)})


def _tables(
    scans: Sequence[Scan], kept: Sequence[Sequence[Sequence[int] | None]], problems: list[str]
) -> Iterator[pyarrow.Table]:
    """Yield the rows that count of each source."""
    for of, rows_of in zip(scans, kept, strict=True):
        for at, (source, rows_kept) in enumerate(zip(of.sources, rows_of, strict=True)):
            if not of.identities[at] or (rows_kept is not None and not rows_kept):
                continue
            try:
                table = schema.unpacked(of.made[at]) if at in of.made else schema.read(source.path)
            except GilscopeError as error:
                problems.append(str(error))
                continue
            yield table if rows_kept is None else table.take(schema.arrow().array(rows_kept, "int64"))


def _batches(tables: Iterable[pyarrow.Table]) -> Iterator[pyarrow.Table]:
    """Yield tables of some rows each: adding up costs by the batch, memory by the row."""
    waiting: list[pyarrow.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(map(len, waiting)) >= _ROWS:
            yield schema.arrow().concat_tables(waiting)
            waiting = []
    if waiting:
        yield schema.arrow().concat_tables(waiting)


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

"""Rows of summaries as sums by group, which add up: of a file, of a worker, of a fleet.

A group is a value of each of the dimensions asked for, and always of the host, so that what hosts differ in
can be told. All that is added up is exact; histograms keep their error (analysis.measures.histogram).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from . import schema

if TYPE_CHECKING:
    import pyarrow

MINUTE: Final = 60_000_000_000
COLUMNS: Final = ("host", "service", "pid", "python", "gilscope")
"""Dimensions that are columns; any other is a tag."""

OF_CODE: Final = ("line", "function", "file")
HISTOGRAMS: Final = ("wait", "hold", "lock_wait")
_LINE: Final = ("function", "file", "line")
_SUMMED: Final = ("waited_ns", "contended_ns", "at_ends_ns", "samples", "holds", "requested")


@dataclass(frozen=True, eq=False)
class Sums:
    """What rows amount to, by group.

    Attributes
    ----------
    keys : tuple of str
        The dimensions; "host" is one.
    groups : pyarrow.Table
        keys, and `rows`, `life_ns`, `held_ns`, `contended_ns`, `nobody_ns`, `discarded`.
    lines : pyarrow.Table
        keys, function, file, line, the sums of schema.lines, `longest_ns` and `slowest_ns`.
    bins, extents : pyarrow.Table
        keys, `of` (one of HISTOGRAMS) and, in the one, bin and count; in the other total_ns, min_ns, max_ns.
    locks : pyarrow.Table
        keys, name, `waits`, `waited_ns`, `longest_ns`.
    members : pyarrow.Table
        keys, `process` (its id), started_ns, `begin_ns`, `end_ns`: each process once.
    minutes : pyarrow.Table
        host, `minute` (of UTC), `waited_ns`: a row's waits spread evenly over its window.
    """

    keys: tuple[str, ...]
    groups: pyarrow.Table
    lines: pyarrow.Table
    bins: pyarrow.Table
    extents: pyarrow.Table
    locks: pyarrow.Table
    members: pyarrow.Table
    minutes: pyarrow.Table
    problems: tuple[str, ...] = field(default=())


def keys_of(by: Sequence[str]) -> tuple[str, ...]:
    """Return the dimensions that sums are kept by, for an answer by these."""
    return tuple(dict.fromkeys([*(name for name in by if name not in OF_CODE), "host"]))


def sums(rows: pyarrow.Table, keys: tuple[str, ...]) -> Sums:
    """Add rows up."""
    pa = schema.arrow()
    dimensions = pa.table([_dimension(rows, key) for key in keys], names=list(keys))
    whole = {name: rows[name] for name in ("held_ns", "contended_ns", "nobody_ns", "discarded")}
    whole["rows"] = pa.array([1] * len(rows), pa.int64())
    whole["life_ns"] = pa.compute.subtract(rows["end_ns"], rows["begin_ns"])
    histograms = [_histogram(rows, dimensions, name) for name in HISTOGRAMS]
    return _reduced(
        Sums(
            keys,
            _with(dimensions, whole),
            _flat(rows, dimensions, "lines"),
            pa.concat_tables([bins for bins, _ in histograms]),
            pa.concat_tables([extent for _, extent in histograms]),
            _flat(rows, dimensions, "locks"),
            _members(rows, dimensions),
            _minutes(rows),
        )
    )


def merge(parts: Sequence[Sums]) -> Sums:
    """Add sums up; those of the same keys, at least one."""
    pa = schema.arrow()

    def joined(name: str) -> pyarrow.Table:
        return pa.concat_tables([getattr(part, name) for part in parts])

    names = ("groups", "lines", "bins", "extents", "locks", "members", "minutes")
    every = {name: joined(name) for name in names}
    problems = tuple(problem for part in parts for problem in part.problems)
    return _reduced(Sums(parts[0].keys, **every, problems=problems))


def grouped(table: pyarrow.Table, keys: Sequence[str], how: dict[str, str]) -> pyarrow.Table:
    """Return a row for each value of the keys: `how` has "sum", "min" or "max" for each other column."""
    names = list(dict.fromkeys(keys))
    made = table.group_by(names, use_threads=False).aggregate(list(how.items()))
    return made.select([*names, *(f"{name}_{way}" for name, way in how.items())]).rename_columns(
        [*names, *how]
    )


def _reduced(of: Sums) -> Sums:
    keys = of.keys
    amounts = ("rows", "life_ns", "held_ns", "contended_ns", "nobody_ns", "discarded")
    extremes = {"longest_ns": "max", "slowest_ns": "max"}
    return Sums(
        keys,
        grouped(of.groups, keys, dict.fromkeys(amounts, "sum")),
        grouped(of.lines, (*keys, *_LINE), dict.fromkeys(_SUMMED, "sum") | extremes),
        grouped(of.bins, (*keys, "of", "bin"), {"count": "sum"}),
        grouped(of.extents, (*keys, "of"), {"total_ns": "sum", "min_ns": "min", "max_ns": "max"}),
        grouped(of.locks, (*keys, "name"), {"waits": "sum", "waited_ns": "sum", "longest_ns": "max"}),
        grouped(of.members, (*keys, "process", "started_ns"), {"begin_ns": "min", "end_ns": "max"}),
        grouped(of.minutes, ("host", "minute"), {"waited_ns": "sum"}),
        of.problems,
    )


def _dimension(rows: pyarrow.Table, key: str) -> Any:
    """Return a dimension of each row, as text; "" where it has none."""
    pa = schema.arrow()
    if key in COLUMNS:
        column = rows[key].cast(pa.string())
    else:
        values = [dict(tags or ()).get(key) for tags in rows["tags"].to_pylist()]
        column = pa.chunked_array([pa.array(values, pa.string())])
    return pa.compute.fill_null(column, "").combine_chunks()


def _with(dimensions: pyarrow.Table, columns: dict[str, Any]) -> pyarrow.Table:
    for name, column in columns.items():
        dimensions = dimensions.append_column(name, column)
    return dimensions


def _flat(rows: pyarrow.Table, dimensions: pyarrow.Table, name: str) -> pyarrow.Table:
    """Return the structs of a list column as rows, each with its row's dimensions."""
    pa = schema.arrow()
    lists = rows[name].combine_chunks()
    structs = pa.compute.list_flatten(lists)
    parents = dimensions.take(pa.compute.list_parent_indices(lists))
    fields = {field.name: structs.field(at) for at, field in enumerate(structs.type)}
    return _with(parents, fields)


def _members(rows: pyarrow.Table, dimensions: pyarrow.Table) -> pyarrow.Table:
    names = {"process": "pid", "started_ns": "started_ns", "begin_ns": "begin_ns", "end_ns": "end_ns"}
    return _with(dimensions, {name: rows[column] for name, column in names.items()})


def _histogram(rows: pyarrow.Table, dimensions: pyarrow.Table, name: str) -> tuple[Any, Any]:
    pa = schema.arrow()
    struct = rows[name].combine_chunks()
    part = {field.name: struct.field(at) for at, field in enumerate(struct.type)}
    some = pa.compute.greater(pa.compute.fill_null(part["count"], 0), 0)

    def named(table: pyarrow.Table) -> pyarrow.Table:
        return table.append_column("of", pa.array([name] * len(table), pa.string()))

    bins = named(dimensions.take(pa.compute.list_parent_indices(part["bins"])))
    bins = bins.append_column("bin", pa.compute.list_flatten(part["bins"]))
    bins = bins.append_column("count", pa.compute.list_flatten(part["counts"]))
    extents = _with(named(dimensions), {key: part[key] for key in ("total_ns", "min_ns", "max_ns")})
    return bins, extents.filter(some)


def _minutes(rows: pyarrow.Table) -> pyarrow.Table:
    """Return the waits of each host and minute: the last of a window's minutes has what rounding leaves."""
    pa = schema.arrow()
    hosts, minutes, waited = [], [], []
    columns = [rows[name].to_pylist() for name in ("host", "begin_ns", "end_ns", "wait")]
    for host, begin, end, wait in zip(*columns, strict=True):
        total = (wait or {}).get("total_ns") or 0
        if not total or end <= begin:
            continue
        left = total
        for minute in range(begin // MINUTE, -(-end // MINUTE)):
            inside = min(end, (minute + 1) * MINUTE) - max(begin, minute * MINUTE)
            part = min(left, total * inside // (end - begin)) if (minute + 1) * MINUTE < end else left
            left -= part
            hosts.append(host)
            minutes.append(minute)
            waited.append(part)
    columns = [pa.array(hosts, pa.string()), pa.array(minutes, pa.int64()), pa.array(waited, pa.int64())]
    return pa.table(columns, names=["host", "minute", "waited_ns"])

"""What a fleet's sums say: groups ranked by the time that they made others wait."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Final

import numpy as np

from ..measures.distribution import NONE, Distribution
from ..measures.histogram import RELATIVE_ERROR, Histogram
from .merge import HISTOGRAMS, MINUTE, OF_CODE, Sums, grouped
from .schema import arrow

FLEET_VERSION: Final = 1
HOUR: Final = 3_600_000_000_000
_ALONE: Final = HOUR
"""How far a host's times lie from all others' for a line about its clock."""


@dataclass(frozen=True)
class Group:
    """One value of each dimension that was asked for.

    Attributes
    ----------
    values : tuple of str
        As `Fleet.by`; "" where a process has no such tag, and for code that was not recorded.
    waited : int
        ns that others waited while its code held the GIL; without a dimension of code, that its threads
        waited.
    share : float
        Of all waits of the fleet.
    life : int
        ns of recording, summed over the processes.
    longest : int
        ns: the most that one hold of it was contended; without a dimension of code, its longest wait.
    samples, at_ends : int
        How many samples tell of it, and the ns of `waited` that only the ends of holds tell of.
    hosts, processes : int
    wait, hold, lock_wait : Distribution
        Of all that its processes did; of a line, those of the processes' group.
    """

    values: tuple[str, ...]
    waited: int
    share: float
    life: int
    longest: int
    samples: int
    at_ends: int
    hosts: int
    processes: int
    wait: Distribution = NONE
    hold: Distribution = NONE
    lock_wait: Distribution = NONE
    per_host: Mapping[str, float] = field(default_factory=dict, repr=False)
    """`rate` of each host that has it."""

    @property
    def rate(self) -> float:
        """`waited` for an hour of one process, ns."""
        return self.waited * HOUR / self.life if self.life else 0.0


@dataclass(frozen=True, eq=False)
class Fleet:
    """What many processes amount to.

    Attributes
    ----------
    by : tuple of str
        The dimensions.
    groups : list of Group
        The worst first.
    waited, held, life : int
        ns, of all.
    hosts, processes, summaries : int
    begin, end : int
        UTC, ns since 1970.
    heat : dict of (str, int) to int
        (host, minute of UTC): ns waited.
    problems : tuple of str
        What was left out, and doubts.
    """

    by: tuple[str, ...]
    groups: list[Group]
    waited: int
    held: int
    life: int
    hosts: int
    processes: int
    summaries: int
    begin: int
    end: int
    heat: dict[tuple[str, int], int] = field(repr=False)
    problems: tuple[str, ...] = ()


def answer(total: Sums, by: Sequence[str]) -> Fleet:
    """Return what sums say, by these dimensions."""
    by = tuple(dict.fromkeys(by))
    outer = tuple(name for name in by if name not in OF_CODE)
    of_code = tuple(name for name in by if name in OF_CODE)
    members = total.members
    waited = _sum(total.extents.filter(_is(total.extents, "of", "wait")), "total_ns")
    found = _groups(total, by, outer, of_code, waited)
    return Fleet(
        by=by,
        groups=sorted(found, key=lambda group: (-group.waited, group.values)),
        waited=waited,
        held=_sum(total.groups, "held_ns"),
        life=_sum(total.groups, "life_ns"),
        hosts=len(set(total.groups["host"].to_pylist())),
        processes=len({*zip(*(members[name].to_pylist() for name in _PROCESS), strict=True)}),
        summaries=_sum(total.groups, "rows"),
        begin=min(members["begin_ns"].to_pylist(), default=0),
        end=max(members["end_ns"].to_pylist(), default=0),
        heat={(row["host"], row["minute"]): row["waited_ns"] for row in total.minutes.to_pylist()},
        problems=(*total.problems, *_alone_in_time(total)),
    )


_PROCESS: Final = ("host", "process", "started_ns")


def _is(table: Any, column: str, value: str) -> Any:
    return arrow().compute.equal(table[column], value)


def _sum(table: Any, column: str) -> int:
    return sum(value or 0 for value in table[column].to_pylist())


@dataclass
class _Group:
    """A group in the making."""

    waited: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """By host."""
    longest: int = 0
    samples: int = 0
    at_ends: int = 0


def _groups(
    total: Sums, by: tuple[str, ...], outer: tuple[str, ...], of_code: tuple[str, ...], waited: int
) -> Iterator[Group]:
    made: dict[tuple[str, ...], _Group] = defaultdict(_Group)
    for row in total.lines.to_pylist() if of_code else _waits(total):
        group = made[tuple(_value(row, name) for name in by)]
        group.waited[row["host"]] += row["waited_ns"]
        group.longest = max(group.longest, row["longest_ns"])
        group.samples += row.get("samples", 0)
        group.at_ends += row.get("at_ends_ns", 0)
    lives, processes = _lives(total, outer), _processes(total, outer)
    distributions = {name: _distributions(total, outer, name) for name in HISTOGRAMS}
    at = [by.index(name) for name in outer]
    for values, group in made.items():
        of = tuple(values[place] for place in at)
        wait, hold, lock_wait = (distributions[name].get(of, NONE) for name in HISTOGRAMS)
        time = sum(group.waited.values())
        yield Group(
            values=values,
            waited=time,
            share=time / waited if waited else 0.0,
            life=sum(lives[of].values()),
            longest=group.longest,
            samples=group.samples,
            at_ends=group.at_ends,
            hosts=len(group.waited),
            processes=processes[of],
            wait=wait,
            hold=hold,
            lock_wait=lock_wait,
            per_host={host: group.waited[host] * HOUR / life for host, life in lives[of].items() if life},
        )


def _waits(total: Sums) -> Iterator[dict[str, Any]]:
    """Yield the waits of each of the sums' groups; of those without any, nothing."""
    for row in total.extents.filter(_is(total.extents, "of", "wait")).to_pylist():
        yield {**row, "waited_ns": row["total_ns"], "longest_ns": row["max_ns"]}


def _value(row: Mapping[str, Any], name: str) -> str:
    """Return the value of a dimension: a line is "parse(), app.py:120"."""
    if name not in OF_CODE:
        return str(row[name])
    function, file = row["function"], row["file"]
    if function is None:
        return ""
    if name == "file" or file is None:
        return str(file or function)
    called = function.replace(".<locals>.", ".")
    called = called if called.endswith(">") else f"{called}()"
    at = f"{PurePath(file).name}:{row['line']}" if name == "line" and row["line"] else PurePath(file).name
    return f"{called}, {at}"


def _outer(row: Mapping[str, Any], outer: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in outer)


def _lives(total: Sums, outer: Sequence[str]) -> dict[tuple[str, ...], dict[str, int]]:
    """Return the recorded time of each group's hosts, ns."""
    lives: dict[tuple[str, ...], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in total.groups.to_pylist():
        lives[_outer(row, outer)][row["host"]] += row["life_ns"]
    return lives


def _processes(total: Sums, outer: Sequence[str]) -> dict[tuple[str, ...], int]:
    found: dict[tuple[str, ...], int] = defaultdict(int)
    if not outer:
        found[()] = len(total.members)
        return found
    for row in (
        total.members.group_by(list(outer), use_threads=False).aggregate([([], "count_all")]).to_pylist()
    ):
        found[_outer(row, outer)] = row["count_all"]
    return found


def _distributions(total: Sums, outer: Sequence[str], name: str) -> dict[tuple[str, ...], Distribution]:
    """Return the distribution of each group's durations."""
    bins = total.bins.filter(_is(total.bins, "of", name))
    extents = total.extents.filter(_is(total.extents, "of", name))
    of_bins: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
    for row in grouped(bins, (*outer, "bin"), {"count": "sum"}).to_pylist():
        of_bins[_outer(row, outer)].append((row["bin"], row["count"]))
    found = {}
    how = {"total_ns": "sum", "min_ns": "min", "max_ns": "max"}
    for row in grouped(extents, (*outer, "of"), how).to_pylist():
        pairs = np.array(sorted(of_bins[_outer(row, outer)]), np.int64).reshape(-1, 2)
        made = Histogram(pairs[:, 0], pairs[:, 1], row["total_ns"], row["min_ns"], row["max_ns"])
        found[_outer(row, outer)] = made.distribution()
    return found


def _alone_in_time(total: Sums) -> Iterator[str]:
    """Say which hosts' times lie far from all the others': their clocks may."""
    spans: dict[str, tuple[int, int]] = {}
    for row in total.members.to_pylist():
        begin, end = spans.get(row["host"], (row["begin_ns"], row["end_ns"]))
        spans[row["host"]] = min(begin, row["begin_ns"]), max(end, row["end_ns"])
    for host, (begin, end) in sorted(spans.items()):
        others = [span for name, span in spans.items() if name != host]
        if len(others) < 2:
            continue
        before, after = min(other for other, _ in others) - end, begin - max(other for _, other in others)
        if max(before, after) > _ALONE:
            where = "before all others begin" if before > after else "after all others end"
            yield (
                f"host {host}: its times lie {max(before, after) / HOUR:.1f} h {where}; if it ran with them,"
                " its clock is wrong: what goes by time goes by its clock"
            )


def to_json(fleet: Fleet) -> dict[str, Any]:
    """Return what `json.dumps` takes: the fields of Fleet and Group, with units in their names."""
    return {
        "fleet_version": FLEET_VERSION,
        "by": list(fleet.by),
        "waited_ns": fleet.waited,
        "held_ns": fleet.held,
        "life_ns": fleet.life,
        "hosts": fleet.hosts,
        "processes": fleet.processes,
        "summaries": fleet.summaries,
        "begin_ns": fleet.begin,
        "end_ns": fleet.end,
        "percentile_error": RELATIVE_ERROR,
        "groups": [to_row(group, fleet.by) for group in fleet.groups],
        "minutes": [
            {"host": host, "begin_ns": minute * MINUTE, "waited_ns": waited}
            for (host, minute), waited in sorted(fleet.heat.items())
        ],
        "problems": list(fleet.problems),
    }


def to_row(group: Group, by: Sequence[str]) -> dict[str, Any]:
    """Return a group as a flat row, of JSON and of Parquet."""
    figures: dict[str, Any] = {
        "waited_ns": group.waited,
        "share": group.share,
        "waited_ns_per_process_hour": round(group.rate),
        "longest_ns": group.longest,
        "samples": group.samples,
        "at_ends_ns": group.at_ends,
        "life_ns": group.life,
        "hosts": group.hosts,
        "processes": group.processes,
    }
    for name in HISTOGRAMS:
        of: Distribution = getattr(group, name)
        figures |= {f"{name}_count": of.count, f"{name}_total_ns": of.total}
        figures |= {f"{name}_{key}_ns": round(getattr(of, key)) for key in ("p50", "p90", "p99", "max")}
    return {**dict(zip(by, group.values, strict=True)), **figures}

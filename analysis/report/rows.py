"""Which lines a summary has: all threads while they are few, else those that matter, and one for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ..measures.cpu_time import CpuStatistics
from ..measures.distribution import NONE, Distribution
from ..measures.statistics import Counts, ProcessStatistics, Statistics, ThreadStatistics
from ..model import State
from .pools import find_pools
from .rank import REST, Rank, how_known, rank

MOST_LINES: Final = 18

_AT_LEAST: Final = 5
"""Lines that are shown where nobody stands out."""

_FEW: Final = 3
"""Processes without a GIL that each have a line; of more with one name there is one line for all."""


@dataclass(frozen=True)
class Row:
    """A thread, a process, or several of either. `lifetime` is what its times are shares of, in ns.

    Of a process that is its own time, so that holding is what share of it the GIL was held.
    """

    name: str
    lifetime: int
    time: dict[State, int]
    counts: Counts
    wait: Distribution
    hold: Distribution
    is_process: bool = False
    is_rest: bool = False
    indented: bool = False
    threads: int = 1
    """Threads in it: the times of several add up to more than a life."""
    processes: int = 0
    """Processes in it; 0 of threads."""
    cpu: CpuStatistics | None = None
    is_sum: bool = False
    """It is of several threads, or of several processes: of their percentiles nothing is known."""


@dataclass(frozen=True)
class _Line:
    """A row with its place: `order` among the others of its process, `rank` in the whole trace."""

    row: Row
    rank: Rank
    order: int


def rows(
    figures: Statistics, most: int | None = MOST_LINES, blamed: Mapping[int, int] | None = None
) -> Iterator[Row]:
    """Yield the lines of a summary: the threads of one process, or processes with their threads below.

    Parameters
    ----------
    most : int or None
        As many lines, about; None: one for each thread.
    blamed : mapping, optional
        Index of a thread → ns that others waited while it held the lock.
    """
    blamed = blamed or {}
    waited = figures.wait.total
    if len(figures.processes) == 1:
        process = figures.processes[0]
        if most is None or len(process.threads) <= most + 1:  # a line for one more is that one
            yield from map(_of_thread, process.threads)
            return
        lines = _lines(process, blamed, waited)
        chosen = _chosen(lines, most)
        yield from _shown(lines, chosen)
        return
    if most is None or len(figures.processes) + len(figures.threads) <= most + 1:
        for process in figures.processes:
            yield from _whole(process)
        return
    yield from _of_many(figures, most, blamed, waited)


def _whole(process: ProcessStatistics) -> Iterator[Row]:
    yield _of_process(process)
    if len(process.threads) > 1:
        for thread in process.threads:
            yield replace(_of_thread(thread), indented=True)


def _of_many(figures: Statistics, most: int, blamed: Mapping[int, int], waited: int) -> Iterator[Row]:
    """Yield processes that have a GIL with their threads, then the others, those of one name together."""
    first = figures.processes[0]
    with_gil = [each for each in figures.processes if each.gils or each is first]
    others = _together([each for each in figures.processes if not each.gils and each is not first])
    ranked = sorted(with_gil, key=lambda each: (each is not first, _rank_of_process(each, figures, blamed)))
    heads = ranked[: max(most // 2, 1)]
    left = most - len(heads)
    beside = sorted(others, key=lambda row: -(row.time[State.NATIVE] + row.time[State.READY]))
    beside = beside[: max(min(len(others), left // 3), 1)]
    left -= len(beside)
    lines = {id(each): _lines(each, blamed, waited) for each in heads if len(each.threads) > 1}
    chosen = _chosen([line for of in lines.values() for line in of], max(left, 0))
    for process in figures.processes:
        if any(process is head for head in heads):
            yield _of_process(process)
            if id(process) in lines:
                for row in _shown(lines[id(process)], chosen):
                    yield replace(row, indented=True)
    yield from beside
    rest = [_of_process(each) for each in ranked[len(heads) :]]
    rest += [row for row in others if not any(row is each for each in beside)]
    if rest:
        named = rest[0].name if len(rest) == 1 else f"{sum(row.processes for row in rest):,} more processes"
        yield _sum(named, rest, is_rest=True)


def _lines(process: ProcessStatistics, blamed: Mapping[int, int], waited: int) -> list[_Line]:
    """Return a line for each thread of a process, and for each pool of short ones."""
    found = []
    pools = find_pools(process.threads, process.duration)
    pooled = {thread.thread.index for pool in pools for thread in pool.threads}
    for thread in process.threads:
        if thread.thread.index not in pooled:
            mine = blamed.get(thread.thread.index, 0)
            place = rank(thread.time, mine, waited, process.duration, how_known(thread))
            main = thread.thread.main and not how_known(thread)
            found.append(_Line(_of_thread(thread), (-1, 0, 0) if main else place, thread.thread.index))
    for pool in pools:
        row = _sum(f"{len(pool.threads):,} × {pool.name}", map(_of_thread, pool.threads))
        mine = sum(blamed.get(thread.thread.index, 0) for thread in pool.threads)
        known = min(map(how_known, pool.threads))
        place = rank(row.time, mine, waited, process.duration, known)
        found.append(_Line(row, place, min(thread.thread.index for thread in pool.threads)))
    return found


def _chosen(lines: Sequence[_Line], most: int) -> set[int]:
    """Return the orders of the lines that are shown: as many, and none of those that matter to nobody."""
    ranked = sorted(lines, key=lambda line: (line.rank, line.order))
    worth = sum(line.rank[0] < REST for line in ranked)
    return {line.order for line in ranked[: min(max(worth, _AT_LEAST), most)]}


def _shown(lines: Sequence[_Line], chosen: set[int]) -> Iterator[Row]:
    """Yield the chosen lines, who matters most first, and one for all others."""
    yield from (
        line.row for line in sorted(lines, key=lambda line: (line.rank, line.order)) if line.order in chosen
    )
    rest = [line.row for line in lines if line.order not in chosen]
    if rest:
        number = sum(row.threads for row in rest)
        named = rest[0].name if len(rest) == 1 else f"{number:,} more threads"
        yield _sum(named, rest, is_rest=True)


def _together(processes: Sequence[ProcessStatistics]) -> list[Row]:
    """Return a row for each process without a GIL, or one for all that have a name."""
    alike: dict[str, list[ProcessStatistics]] = {}
    for process in processes:
        alike.setdefault(process.process.program, []).append(process)
    found = []
    for name, members in alike.items():
        each = [_of_process(process) for process in members]
        found += each if len(each) <= _FEW else [_sum(f"{len(each):,} × {name}", each)]
    return found


def _rank_of_process(process: ProcessStatistics, figures: Statistics, blamed: Mapping[int, int]) -> Rank:
    mine = sum(blamed.get(thread.thread.index, 0) for thread in process.threads)
    return rank(process.time, mine, figures.wait.total, process.duration, 0)


def _of_thread(of: ThreadStatistics) -> Row:
    return Row(of.thread.name, of.lifetime, of.time, of.counts, of.wait, of.hold, cpu=of.cpu)


def _of_process(of: ProcessStatistics) -> Row:
    name = f"process {of.process.pid} {of.process.program}".rstrip()
    count = len(of.threads)
    lifetime = of.threads[0].lifetime if count == 1 else of.duration
    return Row(
        name, lifetime, of.time, of.counts, of.wait, of.hold, True, threads=count, processes=1, cpu=of.cpu
    )


def _sum(name: str, parts: Iterable[Row], *, is_rest: bool = False) -> Row:
    """Add rows up. Percentiles can't be added: of these only the maximum is kept."""
    parts = list(parts)
    return Row(
        name=name,
        lifetime=sum(part.lifetime for part in parts),
        time={state: sum(part.time[state] for part in parts) for state in State},
        counts=Counts(
            *(sum(column) for column in zip(*(vars(part.counts).values() for part in parts), strict=True))
        ),
        wait=_longest([part.wait for part in parts]),
        hold=_longest([part.hold for part in parts]),
        is_rest=is_rest,
        is_sum=True,
        threads=sum(part.threads for part in parts),
        processes=sum(part.processes for part in parts),
        cpu=_added([part.cpu for part in parts if part.cpu is not None]),
    )


def _added(parts: Sequence[CpuStatistics]) -> CpuStatistics | None:
    if not parts:
        return None
    figures: dict[str, Any] = {}
    for name, value in vars(parts[0]).items():
        values = [vars(part)[name] for part in parts]
        figures[name] = _longest(values) if isinstance(value, Distribution) else sum(values)
    return CpuStatistics(**figures)


def _longest(parts: Sequence[Distribution]) -> Distribution:
    count = sum(part.count for part in parts)
    return replace(
        NONE, count=count, total=sum(part.total for part in parts), max=max(part.max for part in parts)
    )

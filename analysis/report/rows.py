"""Which lines a summary has: all threads while they are few, else the weightiest and a line for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any, TypeVar

from ..measures.cpu_time import CpuStatistics
from ..measures.distribution import NONE, Distribution
from ..measures.statistics import Counts, ProcessStatistics, Statistics, ThreadStatistics
from ..model import HELD, State, total

MOST_THREADS = 20
MOST_PROCESSES = 24

T = TypeVar("T", ThreadStatistics, ProcessStatistics)


@dataclass(frozen=True)
class Row:
    """A thread, a process, or the rest of either. `lifetime` is what its times are shares of, in ns.

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
    cpu: CpuStatistics | None = None


def rows(figures: Statistics) -> Iterator[Row]:
    """Yield the lines of a summary: the threads of one process, or processes with their threads below."""
    if len(figures.processes) == 1:
        yield from _threads(figures.processes[0].threads, MOST_THREADS)
        return
    shown, rest = _weightiest(figures.processes, MOST_PROCESSES)
    most = max(3, MOST_THREADS // max(len(shown), 1))
    for process in shown:
        yield _of_process(process)
        if len(process.threads) > 1:
            for row in _threads(process.threads, most):
                yield replace(row, indented=True)
    if rest:
        yield _sum(f"{len(rest):,} more processes", [_of_process(process) for process in rest])


def _threads(threads: Sequence[ThreadStatistics], most: int) -> Iterator[Row]:
    shown, rest = _weightiest(threads, most)
    yield from map(_of_thread, shown)
    if rest:
        yield _sum(f"{len(rest):,} more threads", [_of_thread(thread) for thread in rest])


def _weightiest(things: Sequence[T], most: int) -> tuple[list[T], list[T]]:
    """Return those that held the GIL or waited for it most, in their own order, and the others."""
    if len(things) <= most + 1:  # a line for one more is that one
        return list(things), []
    order = sorted(range(len(things)), key=lambda at: -_weight(things[at].time))
    chosen = set(order[:most])
    return (
        [thing for at, thing in enumerate(things) if at in chosen],
        [thing for at, thing in enumerate(things) if at not in chosen],
    )


def _weight(time: dict[State, int]) -> int:
    """GIL and waits are what a summary is about; then come threads that compute without the GIL."""
    return total(time, HELD) + time[State.WAITING] + time[State.NATIVE]


def _of_thread(of: ThreadStatistics) -> Row:
    return Row(of.thread.name, of.lifetime, of.time, of.counts, of.wait, of.hold, cpu=of.cpu)


def _of_process(of: ProcessStatistics) -> Row:
    script = PurePath(of.process.argv[0]).name if of.process.argv else ""
    script = of.process.environment.get("comm", script)  # of a program that only the scheduler saw
    name = f"process {of.process.pid} {script}".rstrip()
    count = len(of.threads)
    lifetime = of.threads[0].lifetime if count == 1 else of.duration
    return Row(name, lifetime, of.time, of.counts, of.wait, of.hold, True, threads=count, cpu=of.cpu)


def _sum(name: str, parts: Iterable[Row]) -> Row:
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
        is_rest=True,
        threads=sum(part.threads for part in parts),
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

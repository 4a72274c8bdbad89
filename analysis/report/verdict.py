"""What a trace says, in plain words and with its figures: a sentence or two for people."""

from __future__ import annotations

from collections.abc import Sequence

from ..measures.locks import LockStatistics
from ..measures.statistics import ProcessStatistics, Statistics, ThreadStatistics, cores_of
from ..measures.switched_on import switched_on
from ..model import Process, State
from ..tables.trace import Trace
from ..units import count, duration, few, plural, share
from .pools import Pool, find_pools
from .reservations import early_ends
from .verdict_cpus import ACTIVE, of_cpus

_LITTLE = 0.1
"""Share of all that is held which threads with less than ACTIVE each may leave unsaid."""

_LOST = 0.1
"""Share of its life that a thread waits for the GIL from which on that is worth a word."""

_SEVERAL = 3
"""Of fewer threads the shares of those that hold say how long the others wait."""

_SENTENCES = 4

_QUEUED = 0.05
"""Waits for one lock, all threads' together, as a share of the time, that are worth a word."""


def verdict(statistics: Statistics, trace: Trace | None = None) -> str:
    """Return one or two sentences about the whole trace; with it, also about lines of its code."""
    active = [process for process in statistics.processes if process.counts.acquires]
    early = early_ends(process.process for process in statistics.processes)
    if not active:
        return " ".join([*early, _without_gil(statistics), *_of_locks(statistics), *of_cpus(statistics)])
    sentences = [_of_processes(statistics, active)] if len(active) > 1 else [_of_process(active[0])]
    sentences = [
        *_of_switching_on(statistics, trace),
        *sentences,
        *_of_locks(statistics),
        *of_cpus(statistics),
    ][:_SENTENCES]
    if any(process.process.discarded for process in statistics.processes):
        sentences.append("Events were lost, so these figures are not complete.")
    return " ".join([*early, *sentences])


def _without_gil(statistics: Statistics) -> str:
    if statistics.gils or statistics.cpu is None:
        return "Nobody took the GIL while it was recorded."
    threads = len(statistics.threads)
    who = "one thread" if threads == 1 else f"{threads} threads"
    free = any(process.process.environment.get("without_gil") for process in statistics.processes)
    none = "No GIL" if free else "No GIL was seen"
    queue = _queue(statistics)
    if queue is None:
        return f"{none}: {who} kept {statistics.cpus_busy:.1f} CPUs busy."
    cpus = max(int(process.process.environment.get("cpus", 0) or 0) for process in statistics.processes)
    return (
        f"{none}: {who} on {cpus} CPUs ran {statistics.cpus_busy:.1f} cores' worth: {queue.threads} of them"
        f" {_queues_for(queue)}"
    )


def _of_switching_on(statistics: Statistics, trace: Trace | None) -> list[str]:
    """Return which import ended a run without a GIL, and where that is."""
    where = {each.process: f" in {each.where}," for each in switched_on(trace) if each.where} if trace else {}
    switched = [process.process for process in statistics.processes if process.process.gil_enabled]
    return [
        f"The import of {process.gil_enabled.module}{where.get(process.index, '')} switched the GIL on,"
        f" {duration(process.gil_enabled.time - process.begin)} after the start."
        for process in switched
        if process.gil_enabled is not None
    ]


def _of_locks(statistics: Statistics) -> list[str]:
    """Return what is to be said of other locks: the one that threads queue for, and the world's stops."""
    said = []
    span = max(statistics.duration, 1)
    queue = _queue(statistics)
    if queue is not None and (statistics.gils or statistics.cpu is None):
        said.append(f"{queue.threads} threads {_queues_for(queue)}")
    pause = statistics.locks.pause
    if pause.total >= ACTIVE * span:
        said.append(
            f"The world was stopped {count(pause.count)} times, {share(pause.total / span)} of the time,"
            f" once for {duration(pause.max)}."
        )
    return said


def _queue(statistics: Statistics) -> LockStatistics | None:
    """Return the lock that most threads' time went into, if that is worth a word."""
    queued = [of for of in statistics.locks.locks if of.contended and of.threads > 1]
    worth = queued and queued[0].wait.total >= _QUEUED * max(statistics.duration, 1)
    return queued[0] if worth else None


def _queues_for(queue: LockStatistics) -> str:
    where = f", {queue.where}" if queue.where else ""
    waits = f"{count(queue.wait.count)} waits, {duration(queue.wait.total)} in all"
    return f"queue for {queue.name}{where}: {waits}."


def _of_processes(statistics: Statistics, active: list[ProcessStatistics]) -> str:
    waited = max(_waited(process) for process in active)
    who = pythons([process.process for process in active])
    together = f"{who}, each with a GIL of its own, ran {few(statistics.cores)} cores' worth"
    if not waited:
        return f"{together} of Python; nowhere did a thread wait for the GIL."
    if waited < ACTIVE:
        return f"{together} of Python; nowhere did threads wait for the GIL more than {_at_most(waited)}."
    worst = max(active, key=_waited)
    where = f"in process {worst.process.pid} somebody waited for the GIL {share(waited)} of the time"
    return f"{together} of Python; {where}."


def _at_most(waited: float) -> str:
    return f"{share(max(waited, 0.001))} of the time"


def pythons(processes: Sequence[Process]) -> str:
    """Return how many: "2 processes", or where one had more than one in turn "3 Pythons in 1 process".

    An embedded interpreter may be initialised again, and a process may run another program by exec.
    """
    own = plural(len({process.pid for process in processes}), "process", "processes")
    return (
        own
        if own == plural(len(processes), "process", "processes")
        else f"{count(len(processes))} Pythons in {own}"
    )


def _of_process(process: ProcessStatistics) -> str:
    if len(process.gils) > 1:
        return _of_gils(process)
    gil = process.gils[0]
    held, waited = gil.utilisation, gil.contention
    pools = [pool for pool in find_pools(process.threads, process.duration) if _pool_counts(process, pool)]
    pooled = {thread.thread.index for pool in pools for thread in pool.threads}
    threads = [
        thread
        for thread in process.threads
        if thread.thread.index not in pooled and _takes_part(process, thread)
    ]
    if pools:
        return _of_pools(process, pools, threads)
    if held - sum(_holds(process, thread) for thread in threads) >= _LITTLE * held > 0:  # many little shares
        threads = [thread for thread in process.threads if thread.held]
    if len(threads) < 2 and waited < ACTIVE:
        nobody = f"somebody waited for it {share(waited)}" if waited else "nobody waited for it"
        alone = sum(thread.held > 0 for thread in process.threads) < 2
        who = (
            "One thread ran Python: it held the GIL"
            if alone
            else "One thread ran nearly all Python: the GIL was held"
        )
        if len(threads) != 1:
            who = "The GIL was held"
        return f"{who} {share(held)} of the time, and {nobody}."
    if waited < ACTIVE:
        return (
            f"{len(threads)} threads took turns without getting in each other's way:"
            f" the GIL was held {share(held)} of the time, and somebody waited {share(waited)}."
        )
    if len(threads) < 2:
        most = max(process.threads, key=lambda thread: thread.held)
        return (
            f"The GIL was held {share(held)} of the time, {share(_holds(process, most))} by"
            f" {most.thread.name}, and somebody waited {share(waited)}{_longest(process)}"
        )
    who = _each([_holds(process, thread) for thread in threads])
    what = _together(held, waited)
    return (
        f"{len(threads)} threads {what}: {who} holding, {share(waited)} of the time someone waited"
        f"{_waiters(process, threads)}{_longest(process)}"
    )


def _together(held: float, waited: float) -> str:
    shared = waited >= 0.5 and held >= 0.9
    return "shared one core's worth of Python" if shared else f"held the GIL {share(held)} of the time"


def _of_pools(process: ProcessStatistics, pools: list[Pool], threads: list[ThreadStatistics]) -> str:
    """Say of short threads what they did together: "400 short threads (f), 1.5 at a time, and MainThread"."""
    gil = process.gils[0]
    parties = [
        f"{count(len(pool.threads))} short threads ({pool.name}),"
        f" {pool.at_a_time(process.duration):.1f} at a time"
        for pool in pools
    ]
    if threads:
        parties.append(threads[0].thread.name if len(threads) == 1 else f"{len(threads)} others")
    who = f"{parties[0]}," if len(parties) == 1 else f"{', '.join(parties[:-1])}, and {parties[-1]}"
    if gil.contention < ACTIVE:
        return (
            f"{who} took turns without getting in each other's way: the GIL was held"
            f" {share(gil.utilisation)} of the time, and somebody waited {share(gil.contention)}."
        )
    each = _each([pool.held / process.duration for pool in pools] + [_holds(process, t) for t in threads])
    lives = " and ".join(
        f"{'they' if len(pools) == 1 else pool.name} waited"
        f" {share(pool.waited / pool.lifetime)} of their lives"
        for pool in pools
    )
    return (
        f"{who} {_together(gil.utilisation, gil.contention)}: {each} holding,"
        f" {share(gil.contention)} of the time someone waited; {lives}{_waiters(process, threads)}"
        f"{_longest(process)}"
    )


def _pool_counts(process: ProcessStatistics, pool: Pool) -> bool:
    return pool.held >= ACTIVE * process.duration or pool.waited >= 0.1 * process.duration


def _waiters(process: ProcessStatistics, threads: list[ThreadStatistics]) -> str:
    """Return who waited for a good part of its life: what they would have had without the others."""
    waits = [  # several may have one name
        (thread.time[State.WAITING] / thread.lifetime, thread.thread.name)
        for thread in threads
        if thread.time[State.WAITING] >= _LOST * thread.lifetime > 0
    ]
    if not waits or len(threads) < _SEVERAL:
        return ""
    low, high = share(min(waits)[0]), share(max(waits)[0])
    extent = high if low == high else f"{low.removesuffix(' %')} – {high}"
    if len(waits) == 1:
        return f"; {waits[0][1]} waited {extent} of its life"
    who = "all" if len(waits) == len(threads) else len(waits)
    return f"; {who} of them waited {extent} of their lives"


def _of_gils(process: ProcessStatistics) -> str:
    cores = cores_of(process.time, process.duration)
    worst = max(process.gils, key=lambda gil: gil.contention)
    waits = (
        "nobody waited for one"
        if not worst.contention
        else f"nowhere did threads wait for one more than {_at_most(worst.contention)}"
        if worst.contention < ACTIVE
        else f"somebody waited for GIL {worst.gil.number} {share(worst.contention)} of the time"
    )
    together = f"{len(process.gils)} interpreters, each with a GIL of its own, ran {few(cores)} cores' worth"
    return f"{together} of Python; {waits}."


def _each(parts: list[float]) -> str:
    """Return the shares of those that held most, by weight: "49 % + 50 %"."""
    parts = sorted(parts, reverse=True)
    most = parts[:4] if len(parts) <= 4 else [part for part in parts[:4] if part >= parts[0] / 4]
    shown, rest = " + ".join(share(part) for part in most), parts[len(most) :]
    return f"{shown} + {share(sum(rest))} by {len(rest)} more" if rest else shown


def _longest(process: ProcessStatistics) -> str:
    """Return who waited longest, when that is long beside a switch interval."""
    interval = max((gil.switch_interval for gil in process.gils), default=0)
    if process.wait.max < 2 * max(interval, 1):
        return "."
    worst = max(process.threads, key=lambda thread: thread.wait.max)
    return f"; {worst.thread.name} once waited {duration(worst.wait.max)}."


def _waited(process: ProcessStatistics) -> float:
    return max((gil.contention for gil in process.gils), default=0.0)


def _holds(process: ProcessStatistics, thread: ThreadStatistics) -> float:
    return thread.held / process.duration if process.duration else 0.0


def _takes_part(process: ProcessStatistics, thread: ThreadStatistics) -> bool:
    """Return whether a thread counts: it holds the GIL for a while, or wants to for long."""
    return _holds(process, thread) >= ACTIVE or thread.time[State.WAITING] >= 0.1 * process.duration

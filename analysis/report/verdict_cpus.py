"""The verdict on CPUs: who had the GIL without one, slept with it, or computed without it."""

from __future__ import annotations

from collections.abc import Callable

from ..measures.cpu_time import CpuStatistics
from ..measures.distribution import NONE, Distribution
from ..measures.native_code import by_code, where
from ..measures.statistics import Statistics, ThreadStatistics
from ..model import HELD, State, total
from ..units import count, duration

ACTIVE = 0.01
"""A share of the time that is worth a word."""

_LEADS = 0.1
"""Share of what threads did together from which on one of them is named for it."""

_LONG_STALL = 5_000_000
"""ns without a CPU, with the GIL, that are worth a word however long it was held otherwise, if the trace is
not much longer."""

_MANY_RETRIES = 100

_BAD = 0.5
"""Wake-ups in vain for each take, from which on they are worth a word."""


def of_cpus(statistics: Statistics) -> list[str]:
    """Return what is to be said of CPUs: who had the GIL without one, and who computed without the GIL."""
    if statistics.cpu is None:
        return []
    said = []
    held = total(statistics.time, HELD)
    stalled = statistics.cpu.stalled
    if stalled.total >= ACTIVE * held > 0 or _is_long(statistics, stalled):
        who, length = _worst(statistics, stalled, lambda cpu: cpu.stalled)
        said.append(f"{who} held the GIL without a CPU for {length}.")
    said += _asleep(statistics)
    native = [thread for thread in statistics.threads if _native(thread) >= ACTIVE]
    cores = statistics.time[State.NATIVE] / statistics.duration if statistics.duration else 0.0
    if native and statistics.gils and cores >= 10 * ACTIVE:
        who = native[0].thread.name if len(native) == 1 else f"{len(native)} threads"
        said.append(f"{who} computed without the GIL, {cores:.1f} cores' worth{_in_native(statistics)}.")
    said += _ready(statistics)
    # To wake up when a switch interval has passed is what a waiter is to do.
    badness = statistics.cpu.retries / max(statistics.counts.acquires, 1)
    if statistics.cpu.retries - statistics.counts.timeouts >= _MANY_RETRIES and badness >= _BAD:
        said.append(
            f"Waiting threads woke up {count(statistics.cpu.retries)} times without getting the GIL,"
            f" {badness:.2g} times for each time it was taken."
        )
    return said


def _in_native(statistics: Statistics) -> str:
    """Return what code that was: ", mostly in libopenblas: dgemm_kernel"."""
    found = where(by_code(each for each in statistics.native if each.state == State.NATIVE))
    return f", mostly in {found}" if found else ""


def _is_long(statistics: Statistics, stretches: Distribution) -> bool:
    return stretches.max >= max(_LONG_STALL, ACTIVE * statistics.duration)


def _asleep(statistics: Statistics) -> list[str]:
    """Return who slept with the GIL."""
    assert statistics.cpu is not None
    asleep, held = statistics.cpu.asleep, total(statistics.time, HELD)
    if not (asleep.total >= ACTIVE * held > 0 or _is_long(statistics, asleep)):
        return []
    who, length = _worst(statistics, asleep, lambda cpu: cpu.asleep)
    return [f"{who} slept with the GIL for {length}: in a call that should let go of it, or for a disk."]


def _ready(statistics: Statistics) -> list[str]:
    """Return who could have computed without the GIL, and had no CPU."""
    wanted = statistics.time[State.READY] / statistics.duration if statistics.duration else 0.0
    ready = [
        thread for thread in statistics.threads if thread.time[State.READY] >= ACTIVE * thread.lifetime > 0
    ]
    if wanted < 10 * ACTIVE or not ready:
        return []
    who = f"{ready[0].thread.name} was" if len(ready) == 1 else f"{len(ready)} threads were"
    without = " without the GIL" if statistics.gils else ""
    return [f"{who} ready{without} and had no CPU, on average {wanted:.1f} at a time."]


def _worst(
    statistics: Statistics, whole: Distribution, get: Callable[[CpuStatistics], Distribution]
) -> tuple[str, str]:
    """Return the thread that has most of some stretches, and how long it was in them."""

    def of(thread: ThreadStatistics) -> Distribution:
        return get(thread.cpu) if thread.cpu else NONE

    worst = max(statistics.threads, key=lambda thread: of(thread).total)
    mine = of(worst)
    if mine.total < _LEADS * whole.total:
        return "Threads", f"{duration(whole.total)} in all, once for {duration(whole.max)}"
    name = worst.thread.name
    if sum(process.counts.acquires > 0 for process in statistics.processes) > 1:
        name = f"{name} of process {statistics.processes[worst.thread.process].process.pid}"
    others = f" of {duration(whole.total)} in all" if duration(mine.total) != duration(whole.total) else ""
    once = f", once for {duration(mine.max)}" if mine.count > 1 else ""
    return name, f"{duration(mine.total)}{others}{once}"


def _native(thread: ThreadStatistics) -> float:
    return thread.time[State.NATIVE] / thread.lifetime if thread.lifetime else 0.0

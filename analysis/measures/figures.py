"""What a trace amounts to: times, counts and distributions; per thread, process and GIL, and of all of it.

An interval that the end of the recording cut is counted with the length it had by then: a wait that never
ended is often the one that matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..arrays import Int64s, Table
from ..model import HELD, Gil, Process, State, Thread, total
from .cpu_time import CpuStatistics
from .distribution import NONE, Distribution
from .locks import LockFigures
from .native_code import NativeTime


@dataclass(frozen=True)
class Counts:
    """How often things happened.

    `contended_acquires` are those that had to wait; `timeouts` the switch intervals that passed in waits;
    `requested_releases` those that answered a drop request, the other ones are `voluntary_releases`;
    `abandons` the waits that ended because the thread exited.
    """

    acquires: int
    contended_acquires: int
    timeouts: int
    requested_releases: int
    voluntary_releases: int
    abandons: int


@dataclass(frozen=True)
class ThreadStatistics:
    """One thread. `time` has the ns in each state; they sum to the thread's life exactly.

    `cpu` is None where nothing was recorded of the thread's CPUs.
    """

    thread: Thread
    time: dict[State, int]
    counts: Counts
    wait: Distribution
    hold: Distribution
    cpu: CpuStatistics | None = None
    lock: Distribution = NONE
    """Of its waits for other locks."""
    stop: Distribution = NONE
    """Of the times that it stood because the world was stopped."""

    @property
    def held(self) -> int:
        """How long it had the GIL, with a CPU or without, in ns."""
        return total(self.time, HELD)

    @property
    def lifetime(self) -> int:
        """How long the thread lived within the recording, in ns."""
        return self.thread.end - self.thread.begin


@dataclass(frozen=True)
class GilStatistics:
    """One GIL, over its process's recorded time.

    `held` and `contended` are the ns that somebody held it, and that at least one thread waited for it;
    `switch_interval` is `Trace.switch_intervals`'.
    """

    gil: Gil
    switch_interval: int
    duration: int
    held: int
    contended: int
    handoffs: int
    switches: int
    requested: int
    wait: Distribution
    hold: Distribution

    @property
    def utilisation(self) -> float:
        """Share of the time that the GIL was held."""
        return self.held / self.duration if self.duration else 0.0

    @property
    def contention(self) -> float:
        """Share of the time that at least one thread waited."""
        return self.contended / self.duration if self.duration else 0.0


@dataclass(frozen=True)
class ProcessStatistics:
    """One process: the sums over its threads, in `time` and `counts`, and its distributions."""

    process: Process
    threads: tuple[ThreadStatistics, ...]
    gils: tuple[GilStatistics, ...]
    time: dict[State, int]
    counts: Counts
    wait: Distribution
    hold: Distribution
    cpu: CpuStatistics | None = None
    locks: LockFigures = field(default_factory=LockFigures, repr=False)

    @property
    def duration(self) -> int:
        """How long the process was recorded, in ns."""
        return self.process.end - self.process.begin


@dataclass(frozen=True)
class Statistics:
    """A whole trace: the sums over its processes, and the handoff matrix (FLOW) by trace-wide threads."""

    processes: tuple[ProcessStatistics, ...]
    duration: int
    time: dict[State, int]
    counts: Counts
    wait: Distribution
    hold: Distribution
    flow: Table = field(repr=False)
    cpu: CpuStatistics | None = None
    locks: LockFigures = field(default_factory=LockFigures, repr=False)
    native: tuple[NativeTime, ...] = field(default=(), repr=False)

    @property
    def threads(self) -> tuple[ThreadStatistics, ...]:
        """Those of all processes, in the order of `Trace.threads`."""
        return tuple(thread for process in self.processes for thread in process.threads)

    @property
    def gils(self) -> tuple[GilStatistics, ...]:
        """Those of all processes, in the order of `Trace.gils`."""
        return tuple(gil for process in self.processes for gil in process.gils)

    @property
    def parallelism(self) -> float:
        """Mean number of GILs held."""
        return sum(gil.held for gil in self.gils) / self.duration if self.duration else 0.0

    @property
    def cores(self) -> float:
        """How many cores' worth of Python ran: see `cores_of`."""
        return cores_of(self.time, self.duration)

    @property
    def cpus_busy(self) -> float:
        """Mean number of CPUs that ran these threads; 0 without OS scheduling."""
        return self.cpu.time / self.duration if self.cpu is not None and self.duration else 0.0

    def matrix(self) -> Int64s:
        """Return the handoff matrix in full: shape (threads, threads), [from, to]."""
        size = len(self.threads)
        dense = np.zeros((size, size), np.int64)
        dense[self.flow["from_thread"], self.flow["to_thread"]] = self.flow["count"]
        return dense


def cores_of(time: Mapping[State, int], duration: int) -> float:
    """Return how many cores' worth of Python ran within a time, in ns.

    With OS scheduling, holds with a CPU; what is not known to have had none counts as if it ran.
    """
    return (time[State.RUNNING] + time[State.HOLDING]) / duration if duration else 0.0

"""What waits for Python's other locks amount to: by lock, by thread, and how long the world stood."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..arrays import Int32s, Int64s, Table, distinct
from ..dtypes import LockOutcome
from ..model import Lock, Process
from ..tables.trace import Trace
from .distribution import NONE, Distribution, distribution, distributions
from .lock_names import lock_name, place_of


@dataclass(frozen=True)
class LockStatistics:
    """One lock; all durations in ns.

    Attributes
    ----------
    name : str
        What to call it; others may be called the same.
    wait : Distribution
    timeouts, interrupted : int
        Waits that ended without it.
    threads : int
        How many different threads waited.
    frame, waker_frame : int
        Where most of the waiting was, and where who ended it let go of it: indices in `Trace.frames`; -1: not
        known.
    waker : int
        The thread that ended most of the waiting; -1: not known.
    where, let_go : str
        These frames in words: "parse(), app.py:120"; "": not known.
    """

    lock: Lock
    name: str
    wait: Distribution
    timeouts: int
    interrupted: int
    threads: int
    frame: int
    waker: int
    waker_frame: int
    where: str
    let_go: str

    @property
    def contended(self) -> bool:
        """Whether threads want the same thing: else they wait for something to happen."""
        return self.lock.mutual


@dataclass(frozen=True)
class LockFigures:
    """All locks of a trace, the most waited for first; but the world's stops, which are in `stop` alone.

    Attributes
    ----------
    wait, stop : Distribution
        Of all waits for locks, and of the times that a thread stood because the world was stopped.
    of_threads, stops_of_threads : list of Distribution
        The same of each thread.
    pause : Distribution
        How long the world was stopped, each time: `Trace.pauses`.
    spun, parked : int
        Times that threads tried for a lock again and again, and how many of these slept in the end.
    spin : int
        How long they did in all, ns.
    """

    locks: tuple[LockStatistics, ...] = ()
    wait: Distribution = NONE
    stop: Distribution = NONE
    of_threads: list[Distribution] = field(default_factory=list, repr=False)
    stops_of_threads: list[Distribution] = field(default_factory=list, repr=False)
    pause: Distribution = NONE
    spun: int = 0
    parked: int = 0
    spin: int = 0


def lock_figures(trace: Trace, process: Process | None = None) -> LockFigures:
    """Return the figures of all locks of a trace, or of one process."""
    waits, spins, pauses = trace.lock_waits, trace.lock_spins, trace.pauses
    if process is not None:
        threads = trace.threads_of(process)
        waits, spins = (
            rows[
                np.searchsorted(rows["thread"], threads.start) : np.searchsorted(rows["thread"], threads.stop)
            ]
            for rows in (waits, spins)
        )
        pauses = pauses[pauses["process"] == process.index]
    lock_waits, stops = waits[~waits["stopped"]], waits[waits["stopped"]]
    return LockFigures(
        locks=_of_locks(trace, lock_waits),
        wait=distribution(lock_waits["duration"].copy()),
        stop=distribution(stops["duration"].copy()),
        of_threads=_of_threads(trace, lock_waits),
        stops_of_threads=_of_threads(trace, stops),
        pause=distribution(pauses["duration"].copy()),
        spun=len(spins),
        parked=int(spins["parked"].sum()),
        spin=int(spins["duration"].sum()),
    )


def _of_threads(trace: Trace, waits: Table) -> list[Distribution]:
    first = np.searchsorted(waits["thread"], np.arange(len(trace.threads) + 1))
    return distributions(waits["duration"].copy(), first)


def _of_locks(trace: Trace, waits: Table) -> tuple[LockStatistics, ...]:
    waits = waits[waits["lock"] >= 0]
    waits = waits[np.argsort(waits["lock"], kind="stable")]
    which, first = np.unique(waits["lock"], return_index=True)
    bounds = np.append(first, len(waits))
    each = distributions(waits["duration"].copy(), bounds)
    found = []
    for lock, begin, end, wait in zip(which.tolist(), bounds[:-1], bounds[1:], each, strict=True):
        rows = waits[begin:end]
        frame = _most(rows["frame"], rows["duration"])
        waker_frame = _most(rows["waker_frame"], rows["duration"])
        found.append(
            LockStatistics(
                trace.locks[lock],
                lock_name(trace.locks[lock]),
                wait,
                timeouts=int(np.count_nonzero(rows["outcome"] == LockOutcome.TIMEOUT)),
                interrupted=int(np.count_nonzero(rows["outcome"] == LockOutcome.INTERRUPTED)),
                threads=len(distinct(rows["thread"])),
                frame=frame,
                waker=_most(rows["waker"], rows["duration"]),
                waker_frame=waker_frame,
                where=place_of(trace, frame),
                let_go=place_of(trace, waker_frame),
            )
        )
    found.sort(key=lambda of: -of.wait.total)
    return tuple(found)


def _most(what: Int32s, weight: Int64s) -> int:
    """Return which of some has most of the weight; -1: none is known."""
    known = what >= 0
    if not known.any():
        return -1
    each, of = np.unique(what[known], return_inverse=True)
    return int(each[np.argmax(np.bincount(of, weight[known]))])

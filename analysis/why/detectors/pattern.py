"""Patterns: what is the matter with a program, by the name that the field has for it, with evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from ...tables.trace import Trace
from . import convoy, hog, no_contention, sleeping_holder, stalled_holder, starvation, thrashing
from .finding import Pattern
from .locks import convoy as lock_convoy
from .locks import deadlock, stop_storm
from .locks import queue as lock_queue
from .locks.scene import LockScene
from .scene import Scene

_DETECTORS: Final[tuple[Callable[[Scene], Iterator[Pattern]], ...]] = (
    convoy.find,
    thrashing.find,
    hog.find,
    starvation.find,
    stalled_holder.find,
    sleeping_holder.find,
)

_OF_LOCKS: Final[tuple[Callable[[LockScene], Iterator[Pattern]], ...]] = (
    deadlock.find,
    lock_queue.find,
    lock_convoy.find,
    stop_storm.find,
)


def patterns(trace: Trace) -> tuple[Pattern, ...]:
    """Return the patterns of a trace, the highest score first.

    Each GIL is looked at for itself, and the other locks of each process. Where nothing is found about a GIL,
    two threads or more took it, and hardly anybody waited, that is said too: "no contention". A GIL that one
    thread at most takes has none.
    """
    found: list[Pattern] = []
    for gil in trace.gils:
        scene = Scene(trace, gil)
        if len(scene.takers) < 2:
            continue
        of_gil = [pattern for find in _DETECTORS for pattern in find(scene)]
        found += of_gil or no_contention.find(scene)
    for process in trace.processes if len(trace.lock_waits) else ():
        locks = LockScene(trace, process)
        found += [pattern for find_lock in _OF_LOCKS for pattern in find_lock(locks)]
    return tuple(sorted(found, key=lambda pattern: (-pattern.score, pattern.begin, pattern.name)))

"""Deadlock: threads that wait for each other's locks, in a circle, and would for ever.

score = 1
"""

from __future__ import annotations

from collections.abc import Iterator

from ...chains.never_ended import knots, sentence
from ..finding import Pattern
from .scene import LockScene


def find(scene: LockScene) -> Iterator[Pattern]:
    """Yield each circle of waits that never ended."""
    trace = scene.trace
    for knot in knots(trace):
        threads = tuple(sorted(wait.thread for wait in knot.waits))
        if not knot.cycle or trace.threads[threads[0]].process != scene.process.index:
            continue
        yield Pattern(
            name="deadlock",
            score=1.0,
            begin=max(wait.since for wait in knot.waits),
            end=scene.process.end,
            process=scene.process.index,
            threads=threads,
            figures={"threads": len(threads)},
            sentence=sentence(trace, knot),
        )

"""Lock queue: a lock that all who are at work stand in line for, so that they work one after another.

score = time that threads waited for the lock / lives of these threads
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ....units import count, duration, share
from ..finding import Pattern
from .scene import LockScene

_LEAST: Final = 0.1
"""Score from which on it is one."""
_FEWEST: Final = 10
"""Waits; fewer show nothing."""


def find(scene: LockScene) -> Iterator[Pattern]:
    """Yield each lock that threads queue for."""
    for queue in scene.queues:
        score = queue.waited / scene.life(queue.threads)
        if len(queue.threads) < 2 or len(queue.rows) < _FEWEST or score < _LEAST:
            continue
        yield Pattern(
            name="lock queue",
            score=min(1.0, score),
            begin=queue.begin,
            end=queue.end,
            process=scene.process.index,
            threads=queue.threads,
            figures={"waits": len(queue.rows), "waited_ns": queue.waited, "contended_ns": queue.contended},
            sentence=(
                f"Lock queue: {count(len(queue.threads))} threads wait {share(score)} of their lives for"
                f" {queue}: {count(len(queue.rows))} waits, {duration(queue.waited)} in all, and"
                f" {share(queue.contended / scene.span)} of the time somebody does."
            ),
        )

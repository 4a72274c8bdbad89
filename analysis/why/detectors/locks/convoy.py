"""Lock and GIL convoy: who has a lock waits for the GIL, and all who want the lock wait with it.

The lock is taken in a moment, but to let it go its holder needs the GIL, which a thread that computes keeps
for a switch interval: so each time that the lock is wanted costs an interval.

    score = time in waits for the lock in which who had it waited for the GIL / these waits
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ....units import count, duration, share
from ..finding import Pattern
from .scene import LockScene

_LEAST: Final = 0.3
"""Score from which on it is one."""
_MUCH: Final = 0.05
"""Share of the process's time that such waits must be, all together."""
_FEWEST: Final = 10


def find(scene: LockScene) -> Iterator[Pattern]:
    """Yield each lock whose holders wait for the GIL."""
    for number, queue in enumerate(scene.queues):
        if len(queue.rows) < _FEWEST or queue.waited < _MUCH * scene.span or not _anybody_waits(scene):
            continue
        without_gil = scene.waited_meanwhile[number]
        score = without_gil / queue.waited
        if score < _LEAST or without_gil < _MUCH * scene.span:
            continue
        yield Pattern(
            name="lock and GIL convoy",
            score=score,
            begin=queue.begin,
            end=queue.end,
            process=scene.process.index,
            threads=queue.threads,
            figures={"waits": len(queue.rows), "waited_ns": queue.waited, "holder_waited_ns": without_gil},
            sentence=(
                f"Lock and GIL convoy: for {share(score)} of the {duration(queue.waited)} that"
                f" {count(len(queue.threads))} {'thread' if len(queue.threads) == 1 else 'threads'} waited"
                f" for {queue}, who had it waited for the GIL."
            ),
        )


def _anybody_waits(scene: LockScene) -> bool:
    """Return whether a thread ever waited for a GIL."""
    folded = scene.trace.folded
    return len(scene.trace.waits) > 0 if folded is None else any(item.waits.count for item in folded.items)

"""Lock and GIL convoy: who has a lock waits for the GIL, and all who want the lock wait with it.

The lock is taken in a moment, but to let it go its holder needs the GIL, which a thread that computes keeps
for a switch interval: so each time that the lock is wanted costs an interval.

    score = time in waits for the lock in which who had it waited for the GIL / these waits
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from ...arrays import Int64s, distinct
from ...fold.one_pass import waits_of
from ...units import count, duration, share
from ..charges import overlap
from .finding import Pattern
from .lock_scene import LockScene, Queue

_LEAST: Final = 0.3
"""Score from which on it is one."""
_MUCH: Final = 0.05
"""Share of the process's time that such waits must be, all together."""
_FEWEST: Final = 10


def find(scene: LockScene) -> Iterator[Pattern]:
    """Yield each lock whose holders wait for the GIL."""
    for queue in scene.queues:
        if len(queue.rows) < _FEWEST or queue.waited < _MUCH * scene.span or not _anybody_waits(scene):
            continue
        without_gil = _without_gil(scene, queue)
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


def _without_gil(scene: LockScene, queue: Queue) -> int:
    """Return how long, in waits for the lock, who had it waited for the GIL, ns."""
    pieces = scene.pieces
    pieces = pieces[np.isin(pieces["wait"], queue.number) & (pieces["holder"] >= 0)]
    holders = distinct(pieces["holder"]).tolist()
    waits = _waits(scene, holders)
    total = 0
    for holder in holders:
        start, length = waits[holder].T
        mine = pieces[pieces["holder"] == holder]
        begin = mine["start"]
        total += int(overlap(start, start + length, begin, begin + mine["duration"]).sum())
    return total


def _waits(scene: LockScene, threads: list[int]) -> dict[int, Int64s]:
    """Return start and duration of each wait of some threads for a GIL."""
    if not threads or scene.trace.folded is not None:
        return waits_of(scene.trace, threads) if threads else {}
    waits = scene.trace.waits
    rows = np.stack([waits["start"], waits["duration"]], axis=1)
    bounds = np.searchsorted(waits["thread"], [[thread, thread + 1] for thread in threads]).tolist()
    return {thread: rows[begin:end] for thread, (begin, end) in zip(threads, bounds, strict=True)}

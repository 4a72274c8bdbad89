"""Starvation: a thread gets far less of the GIL than its share, because others get it first.

Of m threads that want it, each that takes turns waits about (m - 1) intervals for its own. A thread starves
if it waits several times as long on average, spends much of its life at it, and gets less than half of its
share:

    share of it = holding / (holding + waiting); fair share = 1 / m
    score = (1 - share / fair share) × min(1, waiting / life of the thread)

m counts the threads that hold the GIL, or wait for it, at least a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ...units import duration, share
from .finding import Pattern
from .scene import Scene

_SEVERAL: Final = 3
"""Times the wait of a thread that takes turns."""
_HALF: Final = 0.5
_MUCH: Final = 0.2
"""Share of its life that it must wait."""
_WANTS: Final = 0.1
"""Share of the time that a thread must hold the GIL or wait for it to be one that wants it."""


def find(scene: Scene) -> Iterator[Pattern]:
    """Yield each thread that starves."""
    wanting = sum(taker.held + taker.waited >= _WANTS * scene.span for taker in scene.takers)
    if wanting < 2:
        return
    turn = (wanting - 1) * scene.interval
    for taker in scene.takers:
        if not taker.waits:
            continue
        thread, waiting, held = taker.thread, taker.waited, taker.held
        mean = waiting / taker.waits
        got = held / max(held + waiting, 1)
        if mean < _SEVERAL * turn or waiting < _MUCH * scene.life(thread) or got >= _HALF / wanting:
            continue
        yield Pattern(
            name="starvation",
            score=(1 - got * wanting) * min(1.0, waiting / scene.life(thread)),
            begin=taker.first,
            end=taker.last,
            process=scene.gil.process,
            threads=(thread,),
            figures={
                "share": got,
                "fair_share": 1 / wanting,
                "waited_ns": waiting,
                "mean_wait_ns": mean,
                "longest_wait_ns": taker.longest,
            },
            sentence=(
                f"Starvation: {scene.name(thread)}, one of {wanting} threads, got the GIL for {share(got)} of"
                f" the time that it wanted it; it waited {_how_long(taker.waits, mean, taker.longest)}."
            ),
        )


def _how_long(waits: int, mean: float, longest: int) -> str:
    return duration(mean) if waits == 1 else f"{duration(mean)} on average, once {duration(longest)}"

"""Thrashing: the GIL goes from thread to thread far more often than a switch interval allows for.

With S the times that it went to another thread while somebody waited (and, before Python 3.2, the failed
wake-ups) and C the time in which somebody waited, the rate is S × 5 ms / C: how often it went in the time of
a default switch interval. Two threads that compute have 1. It thrashes from a rate of 10 on, if there was
much contention.

    score = rate / (rate + 10)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from ...measures.switch_interval import DEFAULT_INTERVAL
from ...units import count, duration, share
from .finding import Pattern
from .scene import Scene

_OFTEN: Final = 10
"""Switches in the time of a default interval."""
_FEWEST: Final = 100
"""Switches that there must be."""
_CONTENDED: Final = 0.1
"""Share of the time in which somebody must have waited."""


def find(scene: Scene) -> Iterator[Pattern]:
    """Yield one pattern if this GIL thrashes."""
    contended, switches, retries = scene.contended, scene.contention.switches, _retries(scene)
    if switches + retries < _FEWEST or contended < _CONTENDED * scene.span:
        return
    rate = (switches + retries) * DEFAULT_INTERVAL / contended
    if rate < _OFTEN:
        return
    free = scene.contention.free
    how_often = f"{rate:.0f} times in each {duration(DEFAULT_INTERVAL)}"
    if retries:
        how_often = f"and threads woke up for nothing {count(retries)} times: {how_often} in all"
    yield Pattern(
        name="thrashing",
        score=rate / (rate + _OFTEN),
        begin=scene.contention.begin,
        end=scene.contention.end,
        process=scene.gil.process,
        threads=scene.threads,
        figures={
            "switches": switches,
            "retries": retries,
            "rate": rate,
            "free_ns": free,
            "contended_ns": contended,
        },
        sentence=(
            f"Thrashing: the GIL went from thread to thread {count(switches)} times in {duration(contended)},"
            f" {how_often}; {share(min(free / contended, 1.0))} of that time it was on its way."
        ),
    )


def _retries(scene: Scene) -> int:
    if scene.has_interval:
        return 0
    if scene.trace.folded is not None:
        return int(scene.trace.folded.retries[list(scene.threads)].sum())
    return int(np.isin(scene.trace.retries["thread"], scene.threads).sum())

"""No contention: several threads take the GIL, and next to nobody has to wait for it.

score = 1 - 100 × share of the time in which somebody waited, from 1 % on nothing
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ...units import share
from .finding import Pattern
from .scene import Scene

_NONE: Final = 0.01
"""Share of the time in which somebody waits that is next to nothing."""


def find(scene: Scene) -> Iterator[Pattern]:
    """Yield one pattern if there is no contention."""
    contention = scene.contended / scene.span
    if contention >= _NONE:
        return
    waited = f"somebody waited {share(contention)} of the time" if contention else "nobody ever waited"
    yield Pattern(
        name="no contention",
        score=1 - contention / _NONE,
        begin=scene.process.begin,
        end=scene.process.end,
        process=scene.gil.process,
        threads=scene.threads,
        figures={"contention": contention, "waited_ns": scene.waited},
        sentence=f"No contention: {len(scene.takers)} threads took the GIL, and {waited}.",
    )

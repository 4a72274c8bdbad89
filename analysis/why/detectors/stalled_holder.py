"""Stalled holder: threads wait for one that has the GIL and no CPU, because something else runs there.

score = time of waits in which the holder had no CPU / time of all waits
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from ...model import State
from ...tables.anatomy import STALLED
from ...units import duration, share
from .finding import Pattern
from .scene import WORTH_IT, Scene

_LEAST: Final = 0.2
"""Score from which on it is one."""


def find(scene: Scene) -> Iterator[Pattern]:
    """Yield one pattern if holders are without a CPU for much of the waits."""
    trace = scene.trace
    if trace.scheduling is None or scene.waited < WORTH_IT * scene.span:
        return
    stalled = sum(scene.anatomy[name] for name in STALLED)
    total = int(np.sum(stalled))
    if total < _LEAST * scene.waited:
        return
    worst = int(np.argmax(stalled))
    wait = scene.waits[worst]
    states = trace.states_by_column
    at = np.flatnonzero(states.state == State.STALLED)
    thread = states.thread_of(at)
    mine = np.isin(thread, scene.takers)
    time = np.bincount(thread[mine], states.duration[at][mine], minlength=1)
    holder = int(np.argmax(time))
    longest = int(states.duration[at][mine].max())
    yield Pattern(
        name="stalled holder",
        score=min(1.0, total / scene.waited),
        begin=int(wait["start"]),
        end=int(wait["start"] + wait["duration"]),
        process=scene.gil.process,
        threads=(holder,),
        figures={"stalled_ns": total, "waited_ns": scene.waited, "longest_stall_ns": longest},
        sentence=(
            f"Stalled holder: for {share(total / scene.waited)} of all waiting the thread with the GIL had no"
            f" CPU, mostly {scene.name(holder)}, up to {duration(longest)} at a time."
        ),
    )

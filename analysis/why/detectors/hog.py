"""Hog: code that keeps the GIL for longer than an interval after it was asked to let go.

That is a call into C, mostly: Python looks at the request between its instructions. Time in which the holder
had no CPU is not its fault and does not count; if the scheduler was not recorded nobody knows, and the
sentence says so.

    overdue of a hold = (release - first drop request) - time without a CPU since that request
    score = overdue of all holds of a thread that are overdue by more than an interval / time in which
            somebody waited
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from ...arrays import Int64s
from ...units import count, duration
from ..code_words import function, place
from .finding import Pattern
from .scene import Scene

_LEAST: Final = 0.05
"""Score from which on it is one."""


def find(scene: Scene) -> Iterator[Pattern]:
    """Yield each thread that hogs the GIL."""
    overdue = _overdue(scene)
    late = np.flatnonzero(overdue > scene.interval)
    if not len(late) or not scene.contended:
        return
    holds = scene.holds
    frames = scene.trace.release_frames(scene.gil)
    for thread in np.unique(holds.thread[late]).tolist():
        mine = late[holds.thread[late] == thread]
        total, worst = int(overdue[mine].sum()), int(mine[np.argmax(overdue[mine])])
        score = min(1.0, total / scene.contended)
        if score < _LEAST:
            continue
        longest = int(overdue[worst])
        yield Pattern(
            name="hog",
            score=score,
            begin=int(holds.acquired[worst]),
            end=int(holds.released[worst]),
            process=scene.gil.process,
            threads=(thread,),
            figures={"holds": len(mine), "overdue_ns": total, "longest_overdue_ns": longest},
            sentence=(
                f"Hog: {_who(scene, thread, int(frames[worst]))} kept the GIL up to {duration(longest)}"
                f" after it was asked for it, {duration(total)} in {_holds(len(mine))}{_unless(scene)}."
            ),
        )


def _overdue(scene: Scene) -> Int64s:
    holds = scene.holds
    asked = np.minimum(scene.trace.first_requests(scene.gil), holds.released)
    overdue: Int64s = holds.released - asked
    if scene.trace.scheduling is not None:
        overdue = overdue - (scene.stalls.asked_for(holds.released) - scene.stalls.asked_for(asked))
    return overdue


def _who(scene: Scene, thread: int, frame: int) -> str:
    name = scene.name(thread)
    if frame < 0:
        return name
    row = scene.trace.frames[frame]
    code = scene.trace.codes[row["code"]]
    return f"{function(code)}, {place(code, int(row['line']))}, in {name}"


def _unless(scene: Scene) -> str:
    return "" if scene.trace.scheduling is not None else ", unless it had no CPU (not recorded)"


def _holds(number: int) -> str:
    return "one hold" if number == 1 else f"{count(number)} holds"

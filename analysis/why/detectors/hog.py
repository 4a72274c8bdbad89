"""Hog: code that keeps the GIL for longer than an interval after it was asked to let go.

That is a call into C, mostly: Python looks at the request between its instructions. Time in which the holder
did not run does not count: it wanted a CPU, which is not its fault (stalled holder), or it slept, which has
another cure (sleeping holder). If the scheduler was not recorded nobody knows, and the sentence says so.

    overdue of a hold = (release - first drop request) - time in which it did not run since that request
    score = overdue of all holds of a thread that are overdue by more than an interval / time in which
            somebody waited
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from ...arrays import Int64s, distinct
from ...measures.native_code import code_within, where
from ...units import count, duration
from .. import atlas
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
    frames = scene.trace.hold_frames(scene.gil)
    for thread in distinct(holds.thread[late]).tolist():
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
                f"Hog: {scene.who(thread, int(frames[worst]))} kept the GIL up to {duration(longest)}"
                f" after it was asked for it, {duration(total)} in {_holds(len(mine))}{_unless(scene)}."
                f"{_native(scene, thread, mine)}{_known(scene, int(frames[worst]))}"
            ),
        )


def _overdue(scene: Scene) -> Int64s:
    holds = scene.holds
    asked = np.minimum(scene.trace.first_requests(scene.gil), holds.released)
    overdue: Int64s = holds.released - asked
    if scene.trace.scheduling is not None:
        for clock in (scene.stalls, scene.sleeps):
            overdue = overdue - (clock.asked_for(holds.released) - clock.asked_for(asked))
    return overdue


def _native(scene: Scene, thread: int, late: Int64s) -> str:
    """Say which native code that was: " It ran _json: scanner_call."."""
    holds = scene.holds
    asked = np.minimum(scene.trace.first_requests(scene.gil), holds.released)
    found = where(code_within(scene.trace, thread, asked[late], holds.released[late]))
    return f" It ran {found}." if found else ""


def _unless(scene: Scene) -> str:
    return "" if scene.trace.scheduling is not None else ", unless it had no CPU or slept (not recorded)"


def _holds(number: int) -> str:
    return "one hold" if number == 1 else f"{count(number)} holds"


def _known(scene: Scene, frame: int) -> str:
    return atlas.remark(scene.trace.codes[scene.trace.frames["code"][frame]]) if frame >= 0 else ""

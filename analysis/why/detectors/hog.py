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

from ...units import count, duration
from ..code import atlas
from .finding import Pattern
from .scene import Scene

_LEAST: Final = 0.05
"""Score from which on it is one."""


def find(scene: Scene) -> Iterator[Pattern]:
    """Yield each thread that hogs the GIL."""
    if not scene.contended:
        return
    for taker in scene.takers:
        total, longest, frame = taker.overdue, taker.worst, taker.worst_frame
        score = min(1.0, total / scene.contended)
        if not taker.late or score < _LEAST:
            continue
        yield Pattern(
            name="hog",
            score=score,
            begin=taker.worst_acquired,
            end=taker.worst_released,
            process=scene.gil.process,
            threads=(taker.thread,),
            figures={"holds": taker.late, "overdue_ns": total, "longest_overdue_ns": longest},
            sentence=(
                f"Hog: {scene.who(taker.thread, frame)} {_how_long(scene, longest)}"
                f" after it was asked for it{_in_all(taker.late, total)}{_unless(scene)}."
                f"{_native(taker.native)}{_known(scene, frame)}"
            ),
        )


def _native(code: str) -> str:
    """Say which native code that was: " It ran _json: scanner_call."."""
    return f" It ran {code}." if code else ""


def _unless(scene: Scene) -> str:
    return "" if scene.trace.scheduling is not None else ", unless it had no CPU or slept (not recorded)"


def _how_long(scene: Scene, longest: int) -> str:
    """Say so that it is no riddle beside how late it let go, if it was off its CPU for a part of that."""
    if scene.trace.scheduling is None:
        return f"kept the GIL up to {duration(longest)}"
    return f"ran on with the GIL for up to {duration(longest)}"


def _in_all(holds: int, overdue: int) -> str:
    return f", {duration(overdue)} in {count(holds)} holds" if holds > 1 else ""


def _known(scene: Scene, frame: int) -> str:
    return atlas.remark(scene.trace.codes[scene.trace.frames["code"][frame]]) if frame >= 0 else ""

"""Stalled holder: threads wait for one that has the GIL, could go on and has no CPU.

score = time of waits in which the holder wanted a CPU / time of all waits
"""

from __future__ import annotations

from collections.abc import Iterator

from ...states import State
from ...units import duration, share
from .finding import Pattern
from .scene import Scene
from .without_cpu import find_evidence


def find(scene: Scene) -> Iterator[Pattern]:
    """Yield one pattern if holders want a CPU for much of the waits."""
    found = find_evidence(scene, State.STALLED)
    if found is None:
        return
    yield Pattern(
        name="stalled holder",
        score=found.score(scene),
        begin=found.begin,
        end=found.end,
        process=scene.gil.process,
        threads=(found.holder,),
        figures={"stalled_ns": found.total, "waited_ns": scene.waited, "longest_stall_ns": found.longest},
        sentence=(
            f"Stalled holder: for {share(found.score(scene))} of {scene.all_waiting} the thread with the GIL"
            f" wanted a CPU and had none; {scene.name(found.holder)} most of all, up to"
            f" {duration(found.longest)} at a time."
        ),
    )

"""Sleeping holder: threads wait for one that sleeps with the GIL, in a call that should let go of it.

A call into C that reads a file, waits for a lock or sleeps, and keeps the GIL meanwhile. More CPUs don't
help, nor does another switch interval: the call has to release the GIL (Py_BEGIN_ALLOW_THREADS, ctypes.CDLL
for PyDLL, nogil). Memory that has to be read from a disk first is such a sleep too.

score = time of waits in which the holder slept / time of all waits
"""

from __future__ import annotations

from collections.abc import Iterator

from ...states import State
from ...units import duration, share
from .finding import Pattern
from .scene import Scene
from .without_cpu import find_evidence


def find(scene: Scene) -> Iterator[Pattern]:
    """Yield one pattern if holders sleep for much of the waits."""
    found = find_evidence(scene, State.HOLDING_ASLEEP)
    if found is None:
        return
    yield Pattern(
        name="sleeping holder",
        score=found.score(scene),
        begin=found.begin,
        end=found.end,
        process=scene.gil.process,
        threads=(found.holder,),
        figures={"asleep_ns": found.total, "waited_ns": scene.waited, "longest_sleep_ns": found.longest},
        sentence=(
            f"Sleeping holder: for {share(found.score(scene))} of {scene.all_waiting} the thread with the GIL"
            f" slept; {scene.who(found.holder, found.frame)} most of all, up to {duration(found.longest)} at"
            " a time: the call that it sleeps in should let go of the GIL."
        ),
    )

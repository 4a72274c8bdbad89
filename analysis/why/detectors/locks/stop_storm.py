"""Stop-the-world storm: the world is stopped so often, or for so long, that it costs.

score = time that the world was stopped / time that the process was recorded
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from ....arrays import Table, distinct
from ....measures.lock_names import place_of
from ....measures.stop_reasons import reason_of
from ....units import count, duration, share
from ..finding import Pattern
from .scene import LockScene

_LEAST: Final = 0.05
"""Score from which on it is one."""
_FEWEST: Final = 10
"""Pauses; fewer are no storm."""


def find(scene: LockScene) -> Iterator[Pattern]:
    """Yield one pattern if there is a storm."""
    pauses = scene.pauses
    total = int(pauses["duration"].sum())
    if len(pauses) < _FEWEST or total < _LEAST * scene.span:
        return
    frames, of = np.unique(pauses["frame"], return_inverse=True)
    worst = int(np.argmax(np.bincount(of, pauses["duration"])))
    where = place_of(scene.trace, int(frames[worst]))
    reason = _mostly(scene, pauses[of == worst])
    by = pauses["thread"][np.argmax(np.where(of == worst, pauses["duration"], -1))]
    yield Pattern(
        name="stop-the-world storm",
        score=min(1.0, total / scene.span),
        begin=int(pauses["start"].min()),
        end=int((pauses["start"] + pauses["duration"]).max()),
        process=scene.process.index,
        threads=tuple(distinct(pauses["thread"]).tolist()),
        figures={"pauses": len(pauses), "paused_ns": total, "stood_ns": int(pauses["stood"].sum())},
        sentence=(
            f"Stop-the-world storm: the world was stopped {count(len(pauses))} times,"
            f" {share(total / scene.span)} of the time, most of all by {scene.trace.threads[by].name}"
            f"{' in ' + where if where else ''}{', for ' + reason if reason else ''}; threads stood"
            f" {duration(int(pauses['stood'].sum()))} in all."
        ),
    )


def _mostly(scene: LockScene, pauses: Table) -> str:
    """Return what most of the time of these pauses was for; "": not known."""
    reasons, of = np.unique(pauses["reason"], return_inverse=True)
    return reason_of(scene.trace, int(reasons[np.argmax(np.bincount(of, pauses["duration"]))]))

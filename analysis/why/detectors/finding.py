"""What a detector finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...shown import Shown


@dataclass(frozen=True)
class Pattern(Shown):
    """One pattern, with its evidence.

    Attributes
    ----------
    name : str
        "convoy", "thrashing", "hog", "starvation", "stalled holder", "sleeping holder" or "no contention"; of
        other locks "deadlock", "lock queue", "lock and GIL convoy" or "stop-the-world storm".
    score : float
        How much of it there is, 0 to 1; each detector defines its own.
    begin, end : int
        Where to look, ns of CLOCK_MONOTONIC.
    process : int
        Index in Trace.processes.
    threads : tuple of int
        Those that it is about, indices in Trace.threads.
    figures : mapping of str to int or float
        Durations are in ns, and end in _ns.
    sentence : str
    """

    name: str
    score: float
    begin: int
    end: int
    process: int
    threads: tuple[int, ...]
    figures: Mapping[str, int | float]
    sentence: str

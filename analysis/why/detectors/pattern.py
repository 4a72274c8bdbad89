"""Patterns: what is the matter with a program, by the name that the field has for it, with evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from ...tables.trace import Trace
from . import convoy, hog, no_contention, sleeping_holder, stalled_holder, starvation, thrashing
from .finding import Pattern
from .scene import Scene

_DETECTORS: Final[tuple[Callable[[Scene], Iterator[Pattern]], ...]] = (
    convoy.find,
    thrashing.find,
    hog.find,
    starvation.find,
    stalled_holder.find,
    sleeping_holder.find,
)


def patterns(trace: Trace) -> tuple[Pattern, ...]:
    """Return the patterns of a trace, the highest score first.

    Each GIL is looked at for itself. Where nothing is found, two threads or more took it, and hardly anybody
    waited, that is said too: "no contention". A trace in which one thread at most takes each GIL has none.
    """
    found: list[Pattern] = []
    for gil in trace.gils:
        scene = Scene(trace, gil)
        if len(scene.takers) < 2:
            continue
        of_gil = [pattern for find in _DETECTORS for pattern in find(scene)]
        found += of_gil or no_contention.find(scene)
    return tuple(sorted(found, key=lambda pattern: (-pattern.score, pattern.begin, pattern.name)))

"""From which size on does it let go? Looked for by bisection, on how often a call lets go: a count, no time.

Each round measures several sizes in one process: the ends and the decades between them first, then more
and more finely where the answer changes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from tracer.errors import UsageError
from tracer.releases.judgement import Judgement

_RANGE: Final = re.compile(r"\s*([0-9.eE+]+?)\s*\.\.\s*([0-9.eE+]+)\s*")
_AT_ONCE: Final = 7
"""Sizes in a round of the bisection."""

_ONCE: Final = 0.5
"""So many times a call that lets go does so, at least. One that is asked by chance does it less often."""

Measure = Callable[[Iterable[int]], Mapping[int, Judgement]]


@dataclass(frozen=True)
class Threshold:
    """From which size on a statement lets go.

    Attributes
    ----------
    points : mapping of int to Judgement
        What was measured, by size.
    size : int or None
        The smallest size that lets go, of those above the largest that does not; None: there is none.
    exact : bool
        The size below it holds.
    changes : int
        How often the answer changes from size to size: once, or there is no such size, or several.
    """

    points: Mapping[int, Judgement]
    size: int | None
    exact: bool
    changes: int

    @property
    def always(self) -> bool:
        """Whether every size lets go."""
        return all(map(lets_go, self.points.values()))


def lets_go(judgement: Judgement) -> bool:
    """Whether a call lets go at all."""
    return judgement.released >= _ONCE


def read_range(text: str) -> tuple[int, int]:
    """Read "1e2..1e8".

    Raises
    ------
    UsageError
        It is no range of sizes.
    """
    found = _RANGE.fullmatch(text)
    try:
        low, high = (int(float(end)) for end in found.groups()) if found else (0, 0)
    except (ValueError, OverflowError):
        low = high = 0
    if not 1 <= low < high <= 10**12:
        raise UsageError(f"--sizes {text}: two sizes from 1 on, the smaller one first (1e2..1e8)")
    return low, high


def threshold(measure: Measure, low: int, high: int) -> Threshold:
    """Look for the size from which on a statement lets go.

    Parameters
    ----------
    measure : callable
        Returns judgements by size; a size that could not be measured is left out.
    low, high : int
        The sizes to look between.
    """
    points = dict(measure(_decades(low, high)))
    while between := _where_it_changes(points):
        fresh = [size for size in _inside(*between) if size not in points]
        if not fresh:
            break
        found = measure(fresh)
        if not found:
            break
        points.update(found)
    points = dict(sorted(points.items()))
    changes = sum(lets_go(a) != lets_go(b) for a, b in pairwise(points.values()))
    between = _where_it_changes(points)
    if between is None:
        every = bool(points) and lets_go(next(iter(points.values()))) and changes == 0
        return Threshold(points, min(points) if every else None, False, changes)
    return Threshold(points, between[1], between[1] - between[0] == 1, changes)


def _decades(low: int, high: int) -> list[int]:
    inner = range(math.floor(math.log10(low)) + 1, math.ceil(math.log10(high)))
    return sorted({low, high, *(10**power for power in inner)})


def _where_it_changes(points: Mapping[int, Judgement]) -> tuple[int, int] | None:
    """Return the largest size that holds and the next one, if that lets go."""
    sizes = sorted(points)
    for below, above in reversed(list(pairwise(sizes))):
        if not lets_go(points[below]):
            return (below, above) if lets_go(points[above]) else None
    return None


def _inside(below: int, above: int) -> list[int]:
    """Return sizes strictly between two, evenly by ratio as long as they are far apart."""
    if above - below <= _AT_ONCE + 1:
        return list(range(below + 1, above))
    steps = range(1, _AT_ONCE + 1)
    if above > 4 * below:
        ratio = (above / below) ** (1 / (_AT_ONCE + 1))
        return sorted({round(below * ratio**step) for step in steps} - {below, above})
    return sorted({below + (above - below) * step // (_AT_ONCE + 1) for step in steps} - {below})

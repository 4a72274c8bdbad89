"""Amounts of something, as many as there are: exact while they are few, else counted in narrow buckets.

Up to `EXACT` values are kept as they are. From then on buckets count them, as HdrHistogram's do: an octave
has `STEPS` buckets, so that the middle of one is within 0.1 % of every value in it. Count, sum, least and
most are exact always. `analysis/growing.pxd` is what adds values up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from .arrays import Float64s, Int64s, UInt32s

EXACT: Final = 100_000
STEP_BITS: Final = 9
STEPS: Final = 1 << STEP_BITS

Told = tuple[int, int, int, int, bytes | dict[int, bytes]]
"""What `growing.amounts_told` returns: count, sum, least, most, and values or buckets by octave."""


@dataclass(frozen=True)
class Amounts:
    """Whole numbers, none negative; `values` is None when they are counted in `buckets`, by octave.

    `values` is of int64, or of uint32 where all are that small.
    """

    count: int = 0
    total: int = 0
    least: int = 0
    most: int = 0
    values: Int64s | UInt32s | None = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)
    buckets: Mapping[int, Int64s] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, values: Int64s) -> Amounts:
        """Return amounts that are all there."""
        if not len(values):
            return cls()
        figures = len(values), int(values.sum()), int(values.min()), int(values.max())
        return cls(*figures, values) if len(values) <= EXACT else cls(*figures, None, _counted(values))

    @classmethod
    def told(cls, told: Told) -> Amounts:
        """Return them as the fold tells them."""
        count, total, least, most, kept = told
        if isinstance(kept, bytes):
            if len(kept) == 4 * count:
                return cls(count, total, least, most, np.frombuffer(kept, np.uint32))
            return cls(count, total, least, most, np.frombuffer(kept, np.int64))
        buckets = {key: np.frombuffer(row, np.int64) for key, row in kept.items()}
        return cls(count, total, least, most, None, buckets)

    def with_value(self, value: int, times: int) -> Amounts:
        """Return them with a value more, several times."""
        return merged([self, Amounts.of(np.full(times, value, np.int64))]) if times else self

    def percentile(self, percent: float) -> float:
        """Return a percentile as numpy's method "linear" does."""
        if self.values is not None:
            return _linear(np.sort(self.values.astype(np.int64)), percent)
        position = percent / 100 * (self.count - 1)
        below, above = self._at(np.array([int(position), min(int(position) + 1, self.count - 1)])).tolist()
        return float(below + (above - below) * (position - int(position)))

    def _at(self, ranks: Int64s) -> Float64s:
        """Return the values at these places in their order: of buckets, the middle."""
        octaves = sorted(self.buckets)
        counts = np.concatenate([self.buckets[octave] for octave in octaves])
        middles = np.concatenate([_middles(octave) for octave in octaves])
        at = np.searchsorted(np.cumsum(counts), ranks, "right")
        values: Float64s = np.clip(middles[at], self.least, self.most)
        return values


def _linear(values: Int64s, percent: float) -> float:
    """Return a percentile of sorted values as numpy does, which would import much for it: arrays.distinct."""
    place = (len(values) - 1) * (percent / 100)
    below = int(place)
    low, high = int(values[below]), int(values[min(below + 1, len(values) - 1)])
    part = place - below
    return float(low + (high - low) * part if part < 0.5 else high - (high - low) * (1 - part))


def _middles(octave: int) -> Float64s:
    steps = np.arange(STEPS, dtype=np.float64)
    if octave == 0:
        return steps
    width = 2.0 ** (octave - 1)
    return (STEPS + steps) * width + (width - 1) / 2


def bucket_of(values: Int64s | UInt32s) -> Int64s:
    """Return the buckets of values, numbered through: step s of octave o is STEPS o + s.

    Below 2 STEPS a bucket is one value.
    """
    values = np.asarray(values, np.int64)
    # A double has them as its uppermost bits: the exponent, then 9 bits of the fraction. Of values that have
    # more bits than a double's 53 the lowest are cut off, which would round the others up.
    large = values >= 1 << 53
    exact = np.where(large, values & -2048, values) if large.any() else values
    buckets: Int64s = exact.astype(np.float64).view(np.int64)
    buckets >>= 52 - STEP_BITS
    buckets -= STEPS * (1023 + STEP_BITS - 1)
    np.copyto(buckets, values, where=values < STEPS)
    return buckets


def _counted(values: Int64s | UInt32s) -> dict[int, Int64s]:
    """Count values in buckets."""
    counts = np.bincount(bucket_of(values)).astype(np.int64)
    rows = np.concatenate([counts, np.zeros(-len(counts) % STEPS, np.int64)]).reshape(-1, STEPS)
    return {int(octave): rows[octave] for octave in np.flatnonzero(rows.any(axis=1))}


def merged(parts: Sequence[Amounts]) -> Amounts:
    """Return the amounts of several together."""
    parts = [part for part in parts if part.count]
    if len(parts) <= 1:
        return parts[0] if parts else Amounts()
    figures = (
        sum(part.count for part in parts),
        sum(part.total for part in parts),
        min(part.least for part in parts),
        max(part.most for part in parts),
    )
    if figures[0] <= EXACT:
        return Amounts(*figures, np.concatenate([part.values for part in parts if part.values is not None]))
    buckets: dict[int, Int64s] = {}
    for part in parts:
        for octave, row in (part.buckets if part.values is None else _counted(part.values)).items():
            buckets[octave] = buckets[octave] + row if octave in buckets else row
    return Amounts(*figures, None, buckets)

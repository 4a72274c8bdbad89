"""Histograms of durations: a summary of any number of them that can be merged with others'.

Bins are as wide as their values are long (Gil Tene's HdrHistogram): below 1024 ns a bin a nanosecond, above
it 512 bins for each doubling. A bin's middle is at most 1/1024, some 0.1 %, off any value in it; count, sum,
least and greatest are exact. Merging loses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..amounts import STEPS, Amounts, bucket_of
from ..arrays import Float64s, Int64s
from .distribution import NONE, PERCENTILES, Distribution

_HALF: Final = STEPS
RELATIVE_ERROR: Final = 1 / (2 * _HALF)
"""At most, of a percentile."""


@dataclass(frozen=True, eq=False)
class Histogram:
    """Durations in ns, by bins.

    Attributes
    ----------
    bins, counts : ndarray of int64
        The bins that have values, in order, and how many.
    total, min, max : int
        Exact, ns; 0 of none.
    """

    bins: Int64s
    counts: Int64s
    total: int = 0
    min: int = 0
    max: int = 0

    @property
    def count(self) -> int:
        """How many values there are."""
        return int(self.counts.sum())

    def percentile(self, percent: float) -> float:
        """Return the value at position percent / 100 × (count - 1), between its neighbours; 0 of none."""
        count = self.count
        if not count:
            return 0.0
        position = percent * (count - 1) / 100
        below = int(position)
        ranks = np.array([below, min(below + 1, count - 1)])
        at = np.searchsorted(np.cumsum(self.counts), ranks, "right")
        low, high = np.clip(middle(self.bins[at]), self.min, self.max).tolist()
        return float(low + (high - low) * (position - below))

    def distribution(self) -> Distribution:
        """Return the figures that are said of durations; percentiles within `RELATIVE_ERROR`."""
        count = self.count
        if not count:
            return NONE
        p50, p90, p99 = (self.percentile(percent) for percent in PERCENTILES)
        return Distribution(count, self.total, self.min, self.total / count, p50, p90, p99, self.max)


EMPTY: Final = Histogram(np.zeros(0, np.int64), np.zeros(0, np.int64))


def middle(bins: Int64s) -> Float64s:
    """Return the middles of bins, ns."""
    shift = np.maximum(bins // _HALF - 1, 0)
    low = (bins - _HALF * shift) << shift
    middles: Float64s = low + ((1 << shift) - 1) / 2
    return middles


def histogram(durations: Int64s) -> Histogram:
    """Return the histogram of durations, ns."""
    if not len(durations):
        return EMPTY
    bins, counts = np.unique(bucket_of(durations), return_counts=True)
    return Histogram(bins, counts, int(durations.sum()), int(durations.min()), int(durations.max()))


def histogram_of(amounts: Amounts) -> Histogram:
    """Return the histogram of amounts that were added up: their buckets are its bins."""
    if amounts.values is not None:
        return histogram(amounts.values.astype(np.int64))
    octaves = sorted(amounts.buckets)
    counts = np.concatenate([amounts.buckets[octave] for octave in octaves])
    bins = np.concatenate([_HALF * octave + np.arange(_HALF) for octave in octaves])
    some = np.flatnonzero(counts)
    return Histogram(bins[some], counts[some], amounts.total, amounts.least, amounts.most)


def merged(parts: Sequence[Histogram]) -> Histogram:
    """Return the histogram of all the parts' values."""
    parts = [part for part in parts if len(part.bins)]
    if not parts:
        return EMPTY
    bins, place = np.unique(np.concatenate([part.bins for part in parts]), return_inverse=True)
    counts = np.zeros(len(bins), np.int64)
    np.add.at(counts, place.reshape(-1), np.concatenate([part.counts for part in parts]))
    return Histogram(
        bins,
        counts,
        sum(part.total for part in parts),
        min(part.min for part in parts),
        max(part.max for part in parts),
    )

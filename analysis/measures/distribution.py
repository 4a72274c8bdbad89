"""Distributions of durations: what is said of many waits, or of many holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ..amounts import Amounts
from ..arrays import Float64s, Int64s

PERCENTILES: Final = (50, 90, 99)


@dataclass(frozen=True)
class Distribution:
    """Durations in ns, of `count` things; every figure is 0 when there is none.

    A percentile p of n sorted values is the value at position p / 100 × (n - 1), linearly interpolated
    between its neighbours: numpy's method "linear".
    """

    count: int
    total: int
    min: int
    mean: float
    p50: float
    p90: float
    p99: float
    max: int


NONE: Final = Distribution(0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0)


def distributions(durations: Int64s, first: Int64s) -> list[Distribution]:
    """Return the distributions of consecutive groups of durations.

    Parameters
    ----------
    durations : ndarray of int64
        ns; reordered in place within each group.
    first : ndarray of int64, shape (groups + 1,)
        Group i has the durations first[i] to first[i + 1].
    """
    counts = np.diff(first)
    some = np.flatnonzero(counts)
    result = [NONE] * len(counts)
    if not len(some):
        return result
    for begin, end in zip(first[some].tolist(), first[some + 1].tolist(), strict=True):
        durations[begin:end].partition(_around_percentiles(end - begin))  # a third of the time of sorting
    begin, count = first[some], counts[some]
    total = np.add.reduceat(durations, begin, dtype=np.int64)
    columns = [count, total, np.minimum.reduceat(durations, begin), total / count]
    columns += [_percentile(durations, begin, count, percent) for percent in PERCENTILES]
    columns.append(np.maximum.reduceat(durations, begin))
    for group, *figures in zip(some.tolist(), *(column.tolist() for column in columns), strict=True):
        result[group] = Distribution(*figures)
    return result


def _around_percentiles(count: int) -> list[int]:
    """Return the positions whose values percentiles are taken from."""
    below = {percent * (count - 1) // 100 for percent in PERCENTILES}
    return sorted(below | {min(position + 1, count - 1) for position in below})


def _percentile(durations: Int64s, begin: Int64s, count: Int64s, percent: int) -> Float64s:
    whole, part = np.divmod(percent * (count - 1), 100)
    below = durations[begin + whole].astype(np.int64)
    above = durations[begin + np.minimum(whole + 1, count - 1)]
    result: Float64s = below + (above - below) * (part / 100)
    return result


def distribution(durations: Int64s) -> Distribution:
    """Return the distribution of all these durations, which are reordered in place."""
    return distributions(durations, np.array([0, len(durations)]))[0]


def distribution_of(amounts: Amounts) -> Distribution:
    """Return the distribution of durations that were added up: within 0.1 % where they are in buckets."""
    if not amounts.count:
        return NONE
    if amounts.values is not None:
        return distribution(amounts.values.astype(np.int64))
    p50, p90, p99 = (amounts.percentile(percent) for percent in PERCENTILES)
    mean = amounts.total / amounts.count
    return Distribution(amounts.count, amounts.total, amounts.least, mean, p50, p90, p99, amounts.most)

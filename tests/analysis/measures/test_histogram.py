"""Histograms that merge: exact where they say so, and within their error elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.amounts import EXACT, Amounts, bucket_of
from analysis.measures.distribution import NONE, distribution
from analysis.measures.histogram import EMPTY, RELATIVE_ERROR, histogram, histogram_of, merged, middle

durations = st.lists(st.integers(0, 2**50), min_size=1, max_size=200).map(lambda n: np.array(n, np.int64))


def test_bins_follow_each_other_and_are_as_wide_as_their_values_are_long() -> None:
    values = np.arange(5000)
    bins = bucket_of(values)
    assert bins[:1024].tolist() == list(range(1024))
    assert set(np.diff(bins).tolist()) == {0, 1}
    assert bins[[1024, 1025, 1026, 2047, 2048]].tolist() == [1024, 1024, 1025, 1535, 1536]
    assert middle(np.array([5, 1024, 1536])).tolist() == [5.0, 1024.5, 2049.5]


def test_bins_of_long_values_begin_where_they_do() -> None:
    ends = [(512 + step) << octave for octave in range(1, 54) for step in (0, 1, 511)]
    values = np.array([each - less for each in ends for less in (1, 0)], np.int64)
    below, at = bucket_of(values).reshape(-1, 2).T
    assert (at - below == 1).all()
    assert bucket_of(np.array([2**63 - 1])).tolist() == [512 * 53 + 1023]


@given(durations)
def test_middles_are_near_their_values(values: np.ndarray) -> None:
    assert (np.abs(middle(bucket_of(values)) - values) <= RELATIVE_ERROR * values).all()


@given(durations)
def test_figures_are_those_of_all_values(values: np.ndarray) -> None:
    found, exact = histogram(values).distribution(), distribution(values.copy())
    assert (found.count, found.total, found.min, found.max) == (
        exact.count,
        exact.total,
        exact.min,
        exact.max,
    )
    for name in ("p50", "p90", "p99"):
        near, true = getattr(found, name), getattr(exact, name)
        assert abs(near - true) <= 2 * RELATIVE_ERROR * true + 1e-6  # interpolated between two of them


@given(st.lists(durations, max_size=5))
def test_parts_merge_to_the_whole(parts: list[np.ndarray]) -> None:
    every = np.concatenate([*parts, np.zeros(0, np.int64)])
    found, whole = merged([histogram(part) for part in parts]), histogram(every)
    assert (found.bins.tolist(), found.counts.tolist()) == (whole.bins.tolist(), whole.counts.tolist())
    assert (found.total, found.min, found.max) == (whole.total, whole.min, whole.max)


def test_of_nothing_there_is_nothing() -> None:
    assert histogram(np.zeros(0, np.int64)).distribution() == NONE
    assert merged([EMPTY, EMPTY]).percentile(50) == 0


@pytest.mark.parametrize("count", [0, 1000, 2 * EXACT])
def test_amounts_that_were_added_up_are_the_same_histogram(count: int) -> None:
    values = (2 ** np.random.default_rng(count).uniform(0, 50, count)).astype(np.int64)
    found, whole = histogram_of(Amounts.of(values)), histogram(values)
    assert (found.bins.tolist(), found.counts.tolist()) == (whole.bins.tolist(), whole.counts.tolist())
    assert (found.total, found.min, found.max) == (whole.total, whole.min, whole.max)

"""Amounts: exact while they are few, within 0.1 % beyond."""

import numpy as np
import pytest

from analysis.amounts import EXACT, Amounts, merged


@pytest.mark.parametrize("high", [400, 10_000, 1 << 33, 1 << 61])
def test_buckets_are_within_a_thousandth(high: int) -> None:
    values = np.random.default_rng(high).integers(0, high, 2 * EXACT)
    amounts = Amounts.of(values)
    assert amounts.values is None
    assert (amounts.count, amounts.least, amounts.most) == (len(values), values.min(), values.max())
    for percent in (0, 1, 10, 50, 90, 99, 100):
        exact = float(np.percentile(values, percent))
        assert abs(amounts.percentile(percent) - exact) <= 0.001 * exact


def test_few_are_exact_also_together() -> None:
    values = np.random.default_rng(2).integers(0, 1 << 40, 1000)
    amounts = merged([Amounts.of(part) for part in np.split(values, 4)])
    assert amounts.percentile(90) == float(np.percentile(values, 90))
    assert amounts.total == values.sum()


def test_many_together_are_what_they_are_at_once() -> None:
    values = np.random.default_rng(3).integers(0, 1 << 40, 3 * EXACT)
    at_once = Amounts.of(values)
    together = merged([Amounts.of(values[:EXACT]), Amounts.of(values[EXACT:])])
    assert (together.count, together.least, together.most) == (at_once.count, at_once.least, at_once.most)
    assert [together.percentile(p) for p in (10, 50, 99)] == [at_once.percentile(p) for p in (10, 50, 99)]


def test_none() -> None:
    assert merged([]).count == 0
    assert Amounts().with_value(0, 2).count == 2

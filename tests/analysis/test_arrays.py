"""What numpy's own set functions say, without what they import."""

import numpy as np
import pytest

from analysis.arrays import among, distinct, without


@pytest.mark.parametrize("seed", range(20))
def test_as_numpy_says(seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.integers(-5, 15, int(random.integers(0, 30)))
    others = random.integers(-5, 15, int(random.integers(0, 30)))
    assert distinct(values).tolist() == np.unique(values).tolist()
    assert without(values, others).tolist() == np.setdiff1d(values, others).tolist()
    assert distinct(values).dtype == values.dtype
    assert among(values, others.tolist()).tolist() == np.isin(values, others).tolist()

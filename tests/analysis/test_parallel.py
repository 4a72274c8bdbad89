"""What is done at once, and in which parts."""

import pytest

from analysis import parallel


@pytest.mark.parametrize(
    ("amounts", "bounds"),
    [
        ([], [0, 0]),
        ([10], [0, 1]),
        ([10, 10], [0, 1, 2]),
        ([1, 1, 1, 1, 1, 1, 1, 1], [0, 8]),  # not worth it
        ([10] * 16, [0, 2, 4, 6, 8, 10, 12, 14, 16]),
        ([100, 1, 1, 1], [0, 1, 4]),
        ([1, 1, 1, 100], [0, 4]),
        ([0, 30, 0, 30], [0, 2, 4]),
    ],
)
def test_shares(monkeypatch: pytest.MonkeyPatch, amounts: list[int], bounds: list[int]) -> None:
    monkeypatch.setattr(parallel, "WORTH_IT", 10)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert parallel.shares(amounts) == bounds

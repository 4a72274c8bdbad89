"""Pixel columns hold exactly the time that was spent: nothing disappears, nothing grows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.model import INTERVAL, State
from plots.timeline.coverage import Intervals, Visible, coverage, crowd, edges, search, totals
from plots.timeline.rows import COUNTED

from ..conftest import Scene

STATES = (State.HOLDING, State.WAITING, State.RELEASED, State.UNKNOWN)


def tiling(lengths: list[tuple[int, int]], begin: int, gils: int = 1) -> Intervals:
    """Intervals of these lengths and states, one after the other."""
    table = np.zeros(len(lengths), INTERVAL)
    table["duration"] = [length for length, _ in lengths]
    table["start"] = begin + np.concatenate([[0], np.cumsum(table["duration"])[:-1]])
    table["state"] = [state for _, state in lengths]
    table["gil"] = np.arange(len(table)) % gils
    return Intervals.of(table)


def slow(rows: Intervals, bounds: np.ndarray, state: State, gil: int | None = None) -> list[int]:
    """The same, interval by interval."""
    result = []
    for low, high in itertools.pairwise(bounds):
        inside = 0
        for i in range(len(rows)):
            if rows.state[i] == state and (gil is None or (rows.gil is not None and rows.gil[i] == gil)):
                inside += max(0, min(rows.start[i] + rows.duration[i], high) - max(rows.start[i], low))
        result.append(inside)
    return result


lengths = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3)), min_size=1, max_size=30)


@given(lengths, st.integers(-40, 40), st.integers(-60, 60), st.integers(1, 400), st.integers(1, 40))
def test_coverage_is_the_sum_over_intervals(
    lengths: list[tuple[int, int]], begin: int, start: int, span: int, columns: int
) -> None:
    rows = tiling(lengths, begin, gils=2)
    bounds = edges(start, start + span, columns)
    found = coverage(rows, bounds, STATES)
    together = crowd(rows, bounds, STATES)
    only = coverage(rows, bounds, STATES, gil=1)
    for i, state in enumerate(STATES):
        assert found[i].tolist() == slow(rows, bounds, state)
        assert together[i].tolist() == slow(rows, bounds, state)
        assert only[i].tolist() == slow(rows, bounds, state, 1)


def test_coverage_across_many_blocks() -> None:
    random = np.random.default_rng(3)
    count = 100_003  # more than a few blocks, and no multiple of one
    rows = tiling(
        [
            (int(d), int(s))
            for d, s in zip(random.integers(0, 900, count), random.integers(0, 4, count), strict=True)
        ],
        17,
    )
    bounds = edges(17, int(rows.start[-1] + rows.duration[-1]), 1013)
    found = coverage(rows, bounds, STATES)
    for i, state in enumerate(STATES):
        assert found[i].sum() == rows.duration[rows.state == state].sum()
    assert (found.sum(axis=0) == np.diff(bounds)).all()  # they tile the life
    ends = np.minimum(rows.start + rows.duration, bounds[1])
    first = np.maximum(ends - rows.start, 0)[rows.state == State.HOLDING].sum()
    assert found[0, 0] == first


def test_a_hold_of_one_nanosecond_in_an_hour() -> None:
    hour = 3600 * 10**9
    rows = tiling([(hour, State.RELEASED), (1, State.HOLDING), (hour, State.RELEASED)], 0)
    found = coverage(rows, edges(0, 2 * hour + 1, 1500), [State.HOLDING])
    assert found.sum() == 1
    assert found.max() == 1


@pytest.mark.parametrize("span", [1, 7, 1499, 1500, 1501, 10**12 + 7, 2**62])
def test_edges_are_whole_ascending_and_even(span: int) -> None:
    bounds = edges(5, 5 + span, 1500)
    widths = np.diff(bounds)
    assert bounds[0] == 5
    assert bounds[-1] == 5 + span
    assert widths.min() >= 1
    assert widths.max() - widths.min() <= 1
    assert len(widths) == min(span, 1500)


@given(st.lists(st.integers(0, 20), max_size=20), st.integers(-1, 21))
def test_search_is_searchsorted(values: list[int], wanted: int) -> None:
    column = np.sort(np.array(values, np.int64))
    assert search(column, wanted, 0, len(column)) == np.searchsorted(column, wanted, side="right")


@pytest.mark.parametrize("name", ["four_kinds", "processes", "many_threads", "single_event"])
@pytest.mark.parametrize("part", [(0.0, 1.0), (0.3, 0.7), (0.999, 1.0)])
def test_visible_and_totals(scene: Scene, name: str, part: tuple[float, float]) -> None:
    trace = scene(name)
    length = max(trace.end - trace.begin, 1)
    start = trace.begin + int(part[0] * length)
    end = trace.begin + max(int(part[1] * length), int(part[0] * length) + 1)
    seen = Visible(trace, start, end)
    times = totals(seen, COUNTED)
    table = trace.intervals
    for thread in range(len(trace.threads)):
        mine = table[table["thread"] == thread]
        finish = mine["start"] + mine["duration"]
        touching = mine[(mine["start"] < end) & ((finish > start) | (mine["start"] >= start))]
        rows = seen.rows(thread)
        for column in ("start", "duration", "thread", "gil", "state"):
            assert (rows[column] == touching[column]).all()
        inside = np.minimum(finish, end) - np.maximum(mine["start"], start)
        for i, state in enumerate(COUNTED):
            assert times[thread, i] == np.maximum(inside, 0)[mine["state"] == state].sum()

"""Lanes of several traces on one axis."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import PolyCollection

import analysis
from analysis.model import State
from plots.gallery.lanes import Group, busiest, draw_groups, states_in, threads_named
from plots.gallery.shares import held, holder, shares
from plots.gallery.slide import Form, Slide
from plots.style import HOLD, style
from tests.plots.scenes import MS, two_threads
from tests.synthetic import TraceWriter


@pytest.fixture(scope="module")
def countdown(tmp_path_factory: pytest.TempPathFactory) -> analysis.Trace:
    return analysis.load(two_threads(tmp_path_factory.mktemp("scenes") / "two_threads"))


def simple(path: Path, begin: int) -> analysis.Trace:
    """Thread 101 holds the GIL from 10 to 30 ms after the begin, 102 waits for it from 15 on."""
    with TraceWriter(path) as trace:
        process = trace.process(100, begin=begin)
        process.events(
            [
                (100, begin, "recording_start"),
                (101, begin + 10 * MS, "gil_acquired"),
                (102, begin + 15 * MS, "gil_wait"),
                (101, begin + 30 * MS, "gil_released"),
                (102, begin + 30 * MS, "gil_acquired"),
                (102, begin + 40 * MS, "gil_released"),
            ]
        )
        process.name(101, begin, "half 1")
        process.name(102, begin, "half 2")
        process.stop(100, begin + 50 * MS)
    return analysis.load(path)


def test_groups_begin_at_the_same_place_whenever_they_were_recorded(tmp_path: Path) -> None:
    traces = [simple(tmp_path / str(begin), begin) for begin in (0, 7_000 * MS)]
    groups = [
        Group(
            "", trace, tuple(t.index for t in threads_named(trace, "half")), trace.begin + 5 * MS, trace.end
        )
        for trace in traces
    ]
    with style():
        slide = Slide(Form())
        axes = slide.axes(1, 1, 10, 5)
        rows = draw_groups(axes, groups, 45 * MS)
    assert [len(each) for each in rows] == [2, 2]
    places = [(row.top, row.top + row.height) for each in rows for row in each]
    assert all(above[1] <= below[0] + 1e-9 for above, below in pairwise(places))
    holds = [
        each
        for each in axes.collections
        if isinstance(each, PolyCollection) and each.get_label() == "holds the GIL"
    ]
    assert len(holds) == 2
    for each in holds:
        lefts = sorted(np.asarray(path.vertices)[:, 0].min() for path in each.get_paths())
        assert lefts == [5 * MS, 25 * MS]


def test_the_legend_has_what_is_seen_once(countdown: analysis.Trace) -> None:
    threads = tuple(thread.index for thread in threads_named(countdown, "countdown"))
    group = Group("", countdown, threads, countdown.begin, countdown.end)
    looks = states_in([group, group])
    assert [look.state for look in looks][:2] == [State.HOLDING, State.WAITING]
    assert looks[0].colour == HOLD
    assert len({look.state for look in looks}) == len(looks)


def test_shares_and_holders(tmp_path: Path) -> None:
    trace = simple(tmp_path / "trace", 0)
    first, second = (thread.index for thread in threads_named(trace, "half"))
    assert held(shares(trace, [first])) == pytest.approx(20 / 40)
    assert shares(trace, [second])["waiting"] == pytest.approx(15 / 35)
    assert sum(shares(trace, [first, second]).values()) == pytest.approx(1)
    assert holder(trace, 20 * MS, 40 * MS) == {first: 0.5, second: 0.5}
    assert busiest(trace, 1, 0, 30 * MS) == [first]
    assert busiest(trace, 2, 0, 50 * MS) == [first, second]

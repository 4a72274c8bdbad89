"""The strips under the lanes: owners and waiters."""

from __future__ import annotations

import numpy as np
import pytest

import plots
from analysis.model import State
from plots.style import OTHERS

from ..conftest import Scene
from ..scenes import MS
from .artists import area, boxes, collections, colours, outlines, side_axes


def test_the_owner_strip_has_the_colours_of_the_squares(scene: Scene) -> None:
    trace = scene("subinterpreters")
    axes = plots.timeline(trace)
    squares = [colours(swatch)[0] for swatch in collections(axes, "swatch")]
    assert len(squares) == len(set(squares)) == 5
    (owners,) = collections(axes, "owner")
    holds = trace.intervals[trace.intervals["state"] == State.HOLDING]
    expected = sorted((int(h["start"] - trace.begin), int(h["gil"]), squares[h["thread"]]) for h in holds)
    names = [label.get_text() for label in axes.get_yticklabels()]
    strips = [y for y, name in zip(axes.get_yticks(), names, strict=True) if "owner" in name]
    found = []
    for box, colour in zip(boxes(owners), colours(owners), strict=True):
        gil = int(np.argmin(np.abs(np.array(strips) - (box[2] + box[3]) / 2)))
        found.append((int(box[0]), gil, colour))
    assert sorted(found) == expected


def test_owners_without_a_lane_are_grey(scene: Scene) -> None:
    axes = plots.timeline(scene("many_threads"))
    (owners,) = collections(axes, "owner")
    found = set(colours(owners))
    squares = {colours(swatch)[0] for swatch in collections(axes, "swatch")}
    assert found - squares == {OTHERS}


def test_names_are_written_into_wide_pieces_of_the_strip(scene: Scene) -> None:
    axes = plots.timeline(scene("two_threads"), start=40 * MS, end=75 * MS)
    names = [text.get_text() for text in axes.texts if text.get_text().startswith("countdown")]
    assert names.count("countdown-1") >= 3
    assert names.count("countdown-2") >= 3


def test_the_waiters_are_counted(scene: Scene) -> None:
    trace = scene("four_kinds")
    axes = plots.timeline(trace)
    waiters = side_axes(axes, "waiters")
    (drawn,) = collections(waiters, "waiting")
    waits = trace.intervals[trace.intervals["state"] == State.WAITING]
    points = outlines(drawn)[0]
    assert area(points) == pytest.approx(float(waits["duration"].sum()))
    moments = np.unique(waits["start"])
    most = max(int(((waits["start"] <= t) & (waits["start"] + waits["duration"] > t)).sum()) for t in moments)
    assert points[:, 1].max() == most
    assert list(waiters.get_yticks()) == [0, most]


def test_where_nobody_waits_it_says_so(scene: Scene) -> None:
    axes = plots.timeline(scene("one_thread"))
    assert "nobody waits" in [text.get_text() for text in side_axes(axes, "waiters").texts]

"""The lanes: which artists there are, where they are, what they look like."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection

import plots
from analysis.model import State
from plots.style import HOLD, OWNERS, RELEASED, WAIT, luminance

from ..conftest import Scene
from .artists import LABELS, area, boxes, collections, colours, legend_of, outlines

LOOKS = {State.HOLDING: (HOLD, 1.0), State.WAITING: (WAIT, 0.5), State.RELEASED: (RELEASED, 0.1)}


@pytest.mark.parametrize("state", LOOKS)
def test_each_interval_is_one_polygon_where_it_was(scene: Scene, state: State) -> None:
    trace = scene("two_threads")
    axes = plots.timeline(trace)
    (drawn,) = collections(axes, LABELS[state])
    colour, height = LOOKS[state]
    rows = trace.intervals[trace.intervals["state"] == state]
    found = boxes(drawn)
    assert len(found) == len(rows)
    assert colours(drawn) == [colour]
    pixel = (trace.end - trace.begin) / axes.get_window_extent().width
    assert np.allclose(found[:, 0], rows["start"] - trace.begin, atol=pixel)
    assert np.allclose(found[:, 1], (rows["start"] + rows["duration"]) - trace.begin, atol=pixel)
    wide = rows["duration"] > pixel
    assert (found[wide, 1] - found[wide, 0] == rows["duration"][wide]).all()
    full = boxes(collections(axes, LABELS[State.HOLDING])[0])
    tallest = (full[:, 3] - full[:, 2]).max()
    assert found[:, 3] - found[:, 2] == pytest.approx(np.full(len(found), height * tallest))


def test_a_short_lonely_hold_fills_one_pixel_column(scene: Scene) -> None:
    trace = scene("no_gil")
    axes = plots.timeline(trace)
    pixel = (trace.end - trace.begin) / axes.get_window_extent().width
    (drawn,) = collections(axes, LABELS[State.HOLDING])
    widths = boxes(drawn)[:, 1] - boxes(drawn)[:, 0]
    assert widths.min() == pytest.approx(pixel, rel=1e-6)


def test_states_differ_without_colour() -> None:
    heights = [height for _, height in LOOKS.values()]
    assert all(abs(a - b) >= 0.35 for a, b in combinations(heights, 2))
    assert luminance(RELEASED) > 2 * max(luminance(HOLD), luminance(WAIT))
    # Neighbours in the owner strip are lighter and darker by turns.
    for one, other in pairwise(OWNERS):
        light, dark = sorted((luminance(one), luminance(other)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) > 1.7


def test_nothing_is_drawn_before_a_thread_begins_or_after_it_ends(scene: Scene) -> None:
    for name in ("four_kinds", "processes", "twelve_threads"):
        trace = scene(name)
        axes = plots.timeline(trace)
        pixel = (trace.end - trace.begin) / axes.get_window_extent().width
        names = [label.get_text() for label in axes.get_yticklabels()]
        middles = dict(zip(names, axes.get_yticks(), strict=True))
        for thread in trace.threads:
            if names.count(thread.name) != 1:
                continue
            middle = middles[thread.name]
            for label in LABELS.values():
                for drawn in collections(axes, label):
                    here = [b for b in boxes(drawn) if b[2] <= middle <= b[3]]
                    assert all(b[0] >= thread.begin - trace.begin - pixel for b in here)
                    assert all(b[1] <= thread.end - trace.begin + pixel for b in here)


def test_what_is_unknown_is_a_dotted_line(scene: Scene) -> None:
    trace = scene("four_kinds")
    axes = plots.timeline(trace)
    (lines,) = collections(axes, "unknown")
    assert isinstance(lines, LineCollection)
    unknown = trace.intervals[trace.intervals["state"] == State.UNKNOWN]
    segments = np.array(lines.get_segments())
    assert len(unknown) == 2
    assert sorted(segments[:, 0, 0]) == sorted(unknown["start"] - trace.begin)
    assert sorted(segments[:, 1, 0]) == sorted(unknown["start"] + unknown["duration"] - trace.begin)
    assert "unknown" in legend_of(axes)
    assert "unknown" not in legend_of(plots.timeline(scene("two_threads")))


@pytest.mark.parametrize("name", ["dense", "two_threads", "four_kinds"])
def test_shares_have_the_area_of_the_intervals(scene: Scene, name: str) -> None:
    trace = scene(name)
    axes = plots.timeline(trace, exact=False)
    areas = {
        label: [area(points) for points in outlines(collections(axes, label)[0])] for label in LABELS.values()
    }
    intervals = trace.intervals
    for thread in range(len(trace.threads)):
        mine = intervals[intervals["thread"] == thread]
        time = {state: float(mine["duration"][mine["state"] == state].sum()) for state in LOOKS}
        inner = areas[LABELS[State.HOLDING]][thread]
        middle = areas[LABELS[State.WAITING]][thread]
        outer = areas[LABELS[State.RELEASED]][thread]
        # The scale from inches to shares is that of any state that the thread was in.
        scale = outer / (time[State.HOLDING] + 0.5 * time[State.WAITING] + 0.1 * time[State.RELEASED])
        assert inner == pytest.approx(scale * time[State.HOLDING], rel=1e-6)
        assert middle - inner == pytest.approx(scale * 0.5 * time[State.WAITING], rel=1e-6, abs=1e-3 * outer)


def test_a_long_trace_is_drawn_by_columns_with_few_artists(scene: Scene) -> None:
    axes = plots.timeline(scene("dense"))
    columns = round(axes.get_window_extent().width)
    for label in LABELS.values():
        (drawn,) = collections(axes, label)
        assert len(drawn.get_paths()) == 4  # one outline a lane
        assert all(len(points) == 4 * columns + 1 for points in outlines(drawn))
    assert len(axes.get_children()) < 120


def test_columns_are_pixel_columns(scene: Scene) -> None:
    for name in ("dense", "two_threads", "many_threads"):
        extent = plots.timeline(scene(name)).get_window_extent()
        assert extent.x0 == pytest.approx(round(extent.x0), abs=1e-6)
        assert extent.width == pytest.approx(round(extent.width), abs=1e-6)


def test_a_state_is_one_collection_however_many_intervals(scene: Scene) -> None:
    axes = plots.timeline(scene("twelve_threads"))
    polygons = [c for c in axes.collections if isinstance(c, PolyCollection)]
    assert len(polygons) <= 4


def test_the_rest_is_counted_in_one_row(scene: Scene) -> None:
    trace = scene("many_threads")
    axes = plots.timeline(trace)
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names[-1].endswith("more threads")
    hidden = {t.name for t in trace.threads} - set(names)
    assert int(names[-1].split()[0]) == len(hidden)
    stacks = [c for c in collections(axes, LABELS[State.WAITING]) if len(c.get_paths()) == 1]
    rows = trace.intervals
    mine = np.isin(rows["thread"], [t.index for t in trace.threads if t.name in hidden])
    waits = float(rows["duration"][mine & (rows["state"] == State.WAITING)].sum())
    releases = float(rows["duration"][mine & (rows["state"] == State.RELEASED)].sum())
    without = [c for c in collections(axes, LABELS[State.RELEASED]) if len(c.get_paths()) == 1]
    ratio = area(outlines(stacks[0])[0]) / area(outlines(without[0])[0])
    assert ratio == pytest.approx(waits / releases, rel=1e-6)

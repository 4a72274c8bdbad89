"""What is drawn: artists, where they are, what they look like."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import Collection, LineCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from matplotlib.text import Text
from matplotlib.transforms import Bbox

import plots
from analysis import Trace
from analysis.model import State
from plots.style import DROP_REQUEST, HOLD, OTHERS, OWNERS, RELEASED, WAIT, luminance

from ..conftest import SCENES, Scene
from ..scenes import MS

LOOKS = {State.HOLDING: (HOLD, 1.0), State.WAITING: (WAIT, 0.5), State.RELEASED: (RELEASED, 0.1)}
LABELS = {State.HOLDING: "holds the GIL", State.WAITING: "waits for it", State.RELEASED: "without it"}


def collections(axes: Axes, label: str) -> list[Collection]:
    return [artist for artist in axes.collections if artist.get_label() == label]


def outlines(collection: Collection) -> list[np.ndarray]:
    """The vertices of each polygon."""
    return [np.asarray(path.vertices) for path in collection.get_paths()]


def colours(collection: Collection) -> list[str]:
    return [to_hex(tuple(colour)).upper() for colour in np.asarray(collection.get_facecolor())]


def boxes(collection: Collection) -> np.ndarray:
    """Left, right, top, bottom of each polygon."""
    found = []
    for points in outlines(collection):
        x, y = points[:, 0], points[:, 1]
        found.append((x.min(), x.max(), y.min(), y.max()))
    return np.array(found)


def side_axes(axes: Axes, label: str) -> Axes:
    assert isinstance(axes.figure, Figure)
    return next(each for each in axes.figure.axes if each.get_label() == label)


def area(points: np.ndarray) -> float:
    """The shoelace formula."""
    x, y = points[:, 0], points[:, 1]
    return abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))) / 2


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


def legend_of(axes: Axes) -> list[str]:
    assert isinstance(axes.figure, Figure)
    (legend,) = axes.figure.legends
    return [text.get_text() for text in legend.get_texts()]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        (name, part)
        for name in SCENES
        for part in ("all", "close-up")
        if (name, part) != ("single_event", "close-up")
    ],
)
def test_no_text_overlaps_or_is_clipped(scene: Scene, name: str, part: str) -> None:
    trace = scene(name)
    length = trace.end - trace.begin
    where = {} if part == "all" else {"start": int(0.21 * length), "end": int(0.28 * length)}
    axes = plots.timeline(trace, **where)  # type: ignore[arg-type]
    figure = axes.figure
    assert isinstance(figure, Figure)
    assert figure.get_size_inches() == pytest.approx((13.3, 7.5), abs=0.01)
    figure.draw_without_rendering()
    texts: list[tuple[str, Bbox]] = []
    found: list[Text] = [*figure.texts, *figure.legends[0].get_texts()]
    for each in figure.axes:
        found += [*each.texts, *each.get_yticklabels(), each.xaxis.label]
        low, high = sorted(each.get_xlim())
        if each.get_label() == "waiters":
            ticks = zip(each.get_xticks(), each.get_xticklabels(), strict=True)
            found += [label for x, label in ticks if low <= x <= high]
    for each_text in found:
        if each_text.get_text() and each_text.get_visible():
            texts.append((each_text.get_text(), each_text.get_window_extent()))
    for text, box in texts:
        assert box.x0 >= 0 and box.y0 >= 0, text
        assert box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, text
    for (one, a), (other, b) in combinations(texts, 2):
        overlap = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(overlap) <= 1, (one, other)


@pytest.mark.parametrize("name", ["two_threads", "many_threads", "many_processes"])
def test_main_text_can_be_read_from_the_last_row(scene: Scene, name: str) -> None:
    axes = plots.timeline(scene(name))
    assert isinstance(axes.figure, Figure)
    assert min(float(label.get_fontsize()) for label in axes.get_yticklabels()) >= 14
    title = next(text for text in axes.figure.texts if text.get_gid() == "title")
    assert float(title.get_fontsize()) >= 17


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


def test_a_close_up_has_arrows_requests_and_timeouts(scene: Scene) -> None:
    trace = scene("two_threads")
    start, end = 40 * MS, 75 * MS
    axes = plots.timeline(trace, start=start, end=end)
    begin = trace.begin
    handoffs = trace.handoffs
    inside = (handoffs["released"] >= begin + start) & (handoffs["acquired"] < begin + end)
    switches = handoffs[inside & (handoffs["from_thread"] != handoffs["to_thread"])]
    arrows = [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    assert len(arrows) == len(switches) == 7
    (requests,) = collections(axes, "drop request")
    assert colours(requests) == [DROP_REQUEST]
    corners = boxes(requests)
    assert sorted(corners[:, 1]) == sorted(h["released"] - begin for h in switches if h["requested"])
    (notches,) = collections(axes, "switch interval passed")
    assert isinstance(notches, LineCollection)
    assert len(notches.get_segments()) == 7
    assert legend_of(axes)[-3:] == ["switch interval passed", "drop request", "handoff"]


def test_a_free_lock_is_not_handed_over(scene: Scene) -> None:
    axes = plots.timeline(scene("no_gil"))
    assert not [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]


def test_too_many_handoffs_are_not_drawn(scene: Scene) -> None:
    axes = plots.timeline(scene("twelve_threads"))
    assert not [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    assert legend_of(axes) == list(LABELS.values())


def test_the_switch_interval_is_a_scale(scene: Scene) -> None:
    trace = scene("two_threads")
    waiters = side_axes(plots.timeline(trace, start=40 * MS, end=75 * MS), "waiters")
    (scale,) = [line for line in waiters.lines if line.get_label() == "switch interval"]
    x = np.asarray(scale.get_xdata(), float)
    assert (x[1] - x[0]) * 35 * MS == pytest.approx(trace.processes[0].switch_interval)


def test_the_longest_wait_is_framed_and_told(scene: Scene) -> None:
    trace = scene("four_kinds")
    axes = plots.timeline(trace, around="largest-wait")
    (frame,) = [patch for patch in axes.patches if patch.get_label() == "focus"]
    waits = trace.waits
    longest = waits[waits["duration"].argmax()]
    box = frame.get_path().get_extents(frame.get_patch_transform())
    assert box.x0 == longest["start"] - trace.begin
    assert box.width == longest["duration"]
    assert isinstance(axes.figure, Figure)
    title = next(text for text in axes.figure.texts if text.get_gid() == "title")
    assert title.get_text().startswith("The longest wait: sha256 waited")


def test_a_killed_process_is_cut_off_visibly(scene: Scene) -> None:
    trace = scene("killed")
    axes = plots.timeline(trace)
    (cut,) = [line for line in axes.lines if line.get_label() == "cut"]
    assert list(np.asarray(cut.get_xdata())) == [trace.end - trace.begin] * 3
    assert isinstance(axes.figure, Figure)
    (warning,) = [text for text in axes.figure.texts if text.get_gid() == "warning"]
    assert warning.get_text().startswith("no end recorded: last seen at")
    assert not [line for line in plots.timeline(scene("two_threads")).lines if line.get_label() == "cut"]


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


def test_shares_stand_at_the_end_of_the_lanes(scene: Scene) -> None:
    trace = scene("two_threads")
    axes = plots.timeline(trace)
    rows = trace.intervals[trace.intervals["thread"] == 1]
    life = trace.threads[1].end - trace.threads[1].begin
    spent = [rows["duration"][rows["state"] == state].sum() for state in (State.HOLDING, State.WAITING)]
    expected = [f"{round(100 * time / life)}\N{NO-BREAK SPACE}%" for time in spent]
    middle = axes.get_yticks()[1]
    cells = sorted(
        (text for text in axes.texts if text.get_position()[1] == middle), key=lambda t: t.get_position()[0]
    )
    assert [cell.get_text() for cell in cells] == expected


def test_in_axes_of_others_there_are_only_lanes(scene: Scene) -> None:
    figure = Figure()
    left, right = figure.subplots(1, 2)
    trace = scene("two_threads")
    assert plots.timeline(trace, ax=right) is right
    assert not left.collections
    assert figure.axes == [left, right]
    assert not figure.legends
    assert not figure.texts
    assert not collections(right, "owner")
    assert len(collections(right, LABELS[State.HOLDING])) == 1
    assert [label.get_text() for label in right.get_yticklabels()] == [
        "MainThread",
        "countdown-1",
        "countdown-2",
    ]
    assert right.get_xlabel() == "time (ms)"
    figure.draw_without_rendering()


def test_odd_names_are_one_line_and_not_markup(scene: Scene) -> None:
    axes = plots.timeline(scene("odd_names"))
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names[1].startswith("worker-x") and names[1].endswith("x-17") and "…" in names[1]
    assert names[2] == "$\\alpha_1$ $"
    assert names[3].startswith("two lines")


def test_an_own_title_and_a_window(scene: Scene) -> None:
    axes = plots.timeline(scene("two_threads"), start=10 * MS, end=20 * MS, title="Mine")
    assert isinstance(axes.figure, Figure)
    texts = {text.get_gid(): text.get_text() for text in axes.figure.texts}
    assert texts["title"] == "Mine"
    assert "10 ms, from 10 ms of 232 ms" in texts["subtitle"]
    assert axes.get_xlim() == (10 * MS, 20 * MS)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("two_threads", "2 threads share one GIL: each holds it 50 – 51 % of its life"),
        ("four_kinds", "4 threads share one GIL: each waits 36 – 73 % of its life"),
        ("one_thread", "One thread holds the GIL 93 % of the time: nobody waits"),
        ("no_gil", "The GIL is free >99 % of the time: nobody waits"),
        ("pool", "8 GILs, one for each process: nobody waits"),
        ("single_event", "Nobody used the GIL"),
    ],
)
def test_the_title_is_the_finding(scene: Scene, name: str, title: str) -> None:
    axes = plots.timeline(scene(name))
    assert isinstance(axes.figure, Figure)
    found = next(text for text in axes.figure.texts if text.get_gid() == "title")
    assert found.get_text().replace("\N{NO-BREAK SPACE}", " ") == title


def test_lost_events_are_told(scene: Scene, tmp_path: Path) -> None:
    import analysis
    from tests.synthetic import TraceWriter

    with TraceWriter(tmp_path / "lost") as writer:
        process = writer.process(100, begin=0)
        process.events([(100, 0, "recording_start"), (100, 0, "gil_acquired"), (100, 5 * MS, "gil_released")])
        process.discard(100, 17).stop(100, 9 * MS)
    trace: Trace = analysis.load(tmp_path / "lost")
    axes = plots.timeline(trace)
    assert isinstance(axes.figure, Figure)
    (warning,) = [text for text in axes.figure.texts if text.get_gid() == "warning"]
    assert "17 events lost" in warning.get_text()

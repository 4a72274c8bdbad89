"""The page around the lanes: texts, titles, shares."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

import plots
from analysis import Trace
from analysis.model import State

from ..conftest import SCENES, Scene
from ..scenes import MS
from .artists import LABELS, collections


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

"""What is drawn of the scheduler: states in the lanes, and lanes by CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import Collection
from matplotlib.figure import Figure

import analysis
import plots
from analysis import State, Trace
from analysis.model import WITHOUT
from analysis.states import STALL_INK
from plots.cli import main
from plots.style import CPU_STATES, HOLD, NATIVE, OWNERS, STALL, luminance
from plots.timeline.window import PlotError
from tests.analysis.scenes import scheduled, two_threads
from tests.synthetic import TraceWriter

from .artists import area, boxes, collections, colours, outlines, side_axes

LABELS = {style.state: style.label for style in CPU_STATES}


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    return analysis.load(scheduled(tmp_path_factory.mktemp("five") / "t"))


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """100 holds and lets go all the time; 0.7 of the time it is on CPU 0, else 7 is, which has no GIL.

    They leave it asleep, or could go on.
    """
    path = tmp_path_factory.mktemp("dense") / "t"
    count = 20_000
    with TraceWriter(path) as writer:
        process = writer.process(100)
        process.events([(100, 0, "recording_start")])
        process.columns(100, np.arange(1, count) * 500, np.tile([3, 4], count)[: count - 1])
        process.stop(100, count * 500)
        sched = writer.scheduler(0)
        turn = np.arange(count // 2) * 1000
        time = np.stack([turn, turn + 700, turn + 700, turn + 1000], 1).ravel()
        kind = np.tile([48, 50, 48, 49, 48, 49, 48, 50], len(turn) // 2)
        sched.columns(0, time, kind, np.tile([100, 100, 7, 7], len(turn)))
        sched.task(100, 0, 100, "python").task(7, 700, 7, "other").stop(count * 500)
    return analysis.load(path)


def one(found: list[Collection]) -> Collection:
    (only,) = found
    return only


@pytest.mark.parametrize(
    ("state", "colour", "height"),
    [(State.RUNNING, HOLD, 1.0), (State.STALLED, STALL, 1.0), (State.NATIVE, NATIVE, 0.72)],
)
def test_each_state_is_one_polygon_where_it_was(
    trace: Trace, state: State, colour: str, height: float
) -> None:
    axes = plots.timeline(trace)
    drawn = one(collections(axes, LABELS[state]))
    rows = trace.intervals[trace.intervals["state"] == state]
    found = boxes(drawn)
    assert colours(drawn) == [colour]
    pixel = (trace.end - trace.begin) / axes.get_window_extent().width
    assert np.allclose(found[:, 0], rows["start"] - trace.begin, atol=pixel)
    assert np.allclose(found[:, 1], rows["start"] + rows["duration"] - trace.begin, atol=pixel)
    full = boxes(one(collections(axes, LABELS[State.RUNNING])))
    most = (full[:, 3] - full[:, 2]).max()
    assert np.allclose(found[:, 3] - found[:, 2], height * most)


def test_stalled_is_seen_at_a_glance(trace: Trace) -> None:
    """Hatched, light beside the dark of a thread that runs: in greyscale too."""
    drawn = one(collections(plots.timeline(trace), LABELS[State.STALLED]))
    assert drawn.get_hatch()
    assert luminance(STALL) - luminance(HOLD) > 0.5
    assert luminance(STALL) - luminance(STALL_INK) > 0.3


def test_the_legend_has_what_there_is(trace: Trace) -> None:
    figure = plots.timeline(trace).figure
    assert isinstance(figure, Figure)
    assert [text.get_text() for text in figure.legends[0].texts][:5] == [
        "runs",
        "stalled: GIL, no CPU",
        "waits for the GIL",
        "native: CPU, no GIL",
        "blocked",
    ]


def test_shares_of_life(trace: Trace) -> None:
    axes = plots.timeline(trace)
    texts = [text.get_text().replace("\N{NO-BREAK SPACE}", " ") for text in axes.texts]
    shares = [text for text in texts if text.endswith(" %")]
    assert shares == [
        "66 %",
        "8 %",
        "14 %",
        "8 %",
        "22 %",
        "14 %",
        "44 %",
        "20 %",
        "held 96 %",
        "0 %",
        "0 %",
        "0 %",
        "67 %",
    ]


def test_shares_of_columns_have_the_area_of_the_intervals(dense: Trace) -> None:
    axes = plots.timeline(dense)
    there = set(dense.intervals["state"].tolist())
    drawn = [style for style in CPU_STATES if style.state in there or not style.rare]
    areas = {
        style.state: [area(points) for points in outlines(one(collections(axes, style.label)))]
        for style in drawn
    }
    for thread in (0, 1):
        mine = dense.intervals[dense.intervals["thread"] == thread]
        time = {style.state: mine["duration"][mine["state"] == style.state].sum() for style in drawn}
        ink = np.cumsum([style.height * time[style.state] for style in drawn])
        found = np.array([areas[style.state][thread] for style in drawn])
        assert found / found[-1] == pytest.approx(ink / ink[-1], abs=1e-4)


def test_where_the_cpu_is_not_known_it_says_so(tmp_path: Path) -> None:
    two_threads(tmp_path / "t")
    with TraceWriter(tmp_path / "t") as writer:
        sched = writer.scheduler(500)
        sched.events(0, [(500, "in", 100), (4500, "lost", 5), (4900, "out", 100)])
        sched.task(100, 500, 100, "python").stop(5200)
    axes = plots.timeline(analysis.load(tmp_path / "t"))
    assert len(boxes(one(collections(axes, LABELS[State.HOLDING])))) == 3
    assert isinstance(axes.figure, Figure)
    assert LABELS[State.HOLDING] in [text.get_text() for text in axes.figure.legends[0].texts]
    (warning,) = [text for text in axes.figure.texts if text.get_gid() == "warning"]
    assert warning.get_text() == "5 scheduler records lost"


def test_a_program_without_a_gil(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        sched = writer.scheduler(0)
        sched.events(0, [(0, "in", 7), (500, "out", 7), (950, "in", 7)]).events(
            1, [(100, "in", 8), (900, "out", 8)]
        )
        sched.task(7, 0, 7, "jython").task(8, 50, 7, "worker").exit(8, 900).exit(7, 1000).stop(1000)
    trace = analysis.load(tmp_path / "t")
    axes = plots.timeline(trace)
    figure = axes.figure
    assert isinstance(figure, Figure)
    assert [text.get_text() for text in figure.legends[0].texts] == [
        "on a CPU",
        "ready: no CPU",
        "blocked",
    ]
    (title,) = [text.get_text() for text in figure.texts if text.get_gid() == "title"]
    assert title == "2 threads compute: 1.4 CPUs busy on average"
    assert "on a CPU" in [text.get_text() for text in side_axes(axes, "waiters").texts]
    assert set(trace.intervals["state"].tolist()) <= set(WITHOUT)


def test_lanes_by_cpu(trace: Trace) -> None:
    axes = plots.cpus(trace)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["CPU 0", "CPU 1"]
    drawn = collections(axes, "ran")
    for cpu, of_cpu in enumerate(drawn):
        rows = trace.cpu_intervals[trace.cpu_intervals["cpu"] == cpu]
        found = boxes(of_cpu)
        assert found[:, 0].tolist() == (rows["start"] - trace.begin).tolist()
        assert found[:, 1].tolist() == (rows["start"] + rows["duration"] - trace.begin).tolist()
        assert colours(of_cpu) == [OWNERS[thread] for thread in rows["thread"]]
        heights = {State.RUNNING: 0.8, State.NATIVE: 0.576, State.WAITING: 0.4}
        assert found[:, 3] - found[:, 2] == pytest.approx([heights[State(s)] for s in rows["state"]])
    busy = [text.get_text().replace("\N{NO-BREAK SPACE}", " ") for text in axes.texts]
    assert busy == ["80 %", "46 %"]


def test_lanes_by_cpu_as_shares(dense: Trace) -> None:
    axes = plots.cpus(dense)
    drawn = one(collections(axes, "ran"))
    areas = [area(points) for points in outlines(drawn)]
    rows = dense.cpu_intervals
    heights = {State.RUNNING: 0.8, State.NATIVE: 0.576}
    ink = [
        sum(
            height * rows["duration"][(rows["thread"] == thread) & (rows["state"] == state)].sum()
            for state, height in heights.items()
        )
        for thread in (0, 1)
    ]
    order = [dense.threads[thread].index for thread in (0, 1)]
    assert areas == pytest.approx([ink[thread] for thread in order], rel=1e-4)


def test_lanes_by_cpu_need_the_scheduler(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two_threads(tmp_path / "t")
    with pytest.raises(PlotError, match="no scheduler events"):
        plots.cpus(analysis.load(tmp_path / "t"))
    assert main([str(tmp_path / "t"), "-o", str(tmp_path / "f.png"), "--lanes-by", "cpu"]) == 2
    assert "no scheduler events" in capsys.readouterr().err


def test_lanes_by_cpu_on_the_command_line(tmp_path: Path) -> None:
    scheduled(tmp_path / "t")
    target = tmp_path / "f.png"
    assert main([str(tmp_path / "t"), "-o", str(target), "--lanes-by", "cpu", "--start", "1us"]) == 0
    assert target.read_bytes().startswith(b"\x89PNG")


def test_around_the_largest_stall(trace: Trace, tmp_path: Path) -> None:
    axes = plots.timeline(trace, around="largest-stall")
    assert isinstance(axes.figure, Figure)
    (title,) = [text.get_text() for text in axes.figure.texts if text.get_gid() == "title"]
    assert title.replace("\N{NO-BREAK SPACE}", " ") == (
        "The longest stall: MainThread had the GIL and no CPU for 300 ns"
    )
    with pytest.raises(PlotError, match="no hold of the GIL known to want a CPU in this trace"):
        plots.timeline(analysis.load(two_threads(tmp_path / "t")), around="largest-stall")

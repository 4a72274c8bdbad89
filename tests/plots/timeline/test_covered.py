"""What is drawn without tables is what is drawn from them: to the nanosecond, and to the byte."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

import analysis
import plots
from analysis import State, Trace
from analysis.fold.lanes import can_be_covered
from plots.timeline import covered
from plots.timeline.view import View
from plots.timeline.window import Window
from tests.analysis.fold.recordings import record
from tests.plots import scenes
from tests.plots.conftest import Scene
from tests.synthetic import TraceWriter

COLUMNS = 37


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few intervals there are."""
    monkeypatch.setattr(covered, "EXACT", 0)


def windows(trace: Trace) -> list[Window]:
    """All of it, and parts that begin and end just when something happens."""
    times = np.unique(trace.columns.time)
    cuts = times[:: max(len(times) // 3, 1)].tolist()
    parts = [Window(a, b, False) for a, b in pairwise(cuts)]
    return [Window(trace.begin, max(trace.end, trace.begin + 1), True), *parts]


def assert_told_alike(trace: Trace, window: Window) -> bool:
    """Compare all that a figure asks for; return whether there was something in the window."""
    told, tables = covered.view_of(trace, window, COLUMNS), View(trace, window, COLUMNS, False)
    if not isinstance(told, covered.CoveredView):
        return False
    assert told.alive.tolist() == tables.alive.tolist()
    assert (told.seen.last - told.seen.first).tolist() == (tables.seen.last - tables.seen.first).tolist()
    assert (told.seen.count(), told.holds) == (tables.seen.count(), tables.holds)
    assert np.array_equal(told.times, tables.times)
    assert np.array_equal(told.state_times, tables.state_times)
    assert told.gil_shares == tables.gil_shares
    alive = tables.alive.tolist()
    shown = alive[::2]
    told.show(shown)
    for thread in alive:
        one, other = (view.seen.rows(thread, 1) for view in (told, tables))
        for name in ("start", "duration", "state"):
            assert one[name].tolist() == other[name].tolist()
    for thread in shown:
        assert np.array_equal(told.columns(thread), tables.columns(thread))
        assert np.array_equal(told.lane(thread), tables.lane(thread))
    hidden = [thread for thread in alive if thread not in shown]
    for threads in (hidden, alive):
        assert np.array_equal(told.crowd(threads), tables.crowd(threads))
        assert np.array_equal(told.lane_crowd(threads), tables.lane_crowd(threads))
    for gil in trace.gils:
        of = [thread for thread in alive if trace.threads[thread].process == gil.process]
        for thread in of:
            if sum(other.process == gil.process for other in trace.gils) > 1:
                counts = told.seen.about(thread)
                assert counts[gil.index] == tables.seen.about(thread)[gil.index]
            if thread in shown:
                assert np.array_equal(told.held(thread, gil.index), tables.held(thread, gil.index))
        rest = [thread for thread in of if thread not in shown]
        if rest:
            assert np.array_equal(told.crowd(rest, gil.index)[0], tables.crowd(rest, gil.index)[0])
    return True


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize(("first", "scheduled"), [(0, False), (500, True)])
def test_random_recordings(tmp_path: Path, first: int, scheduled: bool) -> None:
    told = []
    for seed in range(first, first + 15):
        trace = analysis.load(record(tmp_path / str(seed), seed, scheduled))
        told += [assert_told_alike(trace, window) for window in windows(trace)]
    assert sum(told) > 50


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("name", ["subinterpreters", "many_processes", "four_kinds", "killed"])
def test_scenes(scene: Scene, name: str) -> None:
    trace = scene(name)
    assert all(assert_told_alike(trace, window) for window in windows(trace)[:2])


def test_the_picture_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = scenes.dense(tmp_path / "t", 120_000)
    trace = analysis.load(path)
    assert can_be_covered(trace)
    plots.save_timeline(trace, tmp_path / "one.png")
    assert "columns" not in trace.__dict__
    monkeypatch.setattr(covered, "can_be_covered", lambda _: False)
    plots.save_timeline(trace, tmp_path / "other.png")
    assert "columns" in trace.__dict__
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()


def test_few_intervals_are_drawn_from_tables(tmp_path: Path) -> None:
    trace = analysis.load(scenes.two_threads(tmp_path / "t"))
    whole = Window(trace.begin, trace.end, True)
    assert type(covered.view_of(trace, whole, COLUMNS)) is View


def test_what_is_in_columns_is_drawn_from_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(covered, "EXACT", 0)
    trace = analysis.load(scenes.two_threads(tmp_path / "t"))
    part = trace.between(trace.begin, (trace.begin + trace.end) // 2)
    assert not can_be_covered(part)
    view = covered.view_of(part, Window(part.begin, part.end, True), COLUMNS)
    assert type(view) is View
    assert view.state_times[:, State.HOLDING].sum() > 0


def test_sums_are_made_once_however_many_threads(
    tmp_path: Path, always: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were made for each thread: a picture of 100,000 threads took ten minutes."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        for number in range(50):
            begin = 1000 * number
            process.events(
                [(101 + number, begin, "gil_acquired"), (101 + number, begin + 900, "gil_released")]
            )
        process.stop(100, 50_000)
    trace = analysis.load(tmp_path / "t")
    view = covered.view_of(trace, Window(trace.begin, trace.end, True), COLUMNS)
    assert isinstance(view, covered.CoveredView)
    counted = Mock(wraps=covered._counted)
    monkeypatch.setattr(covered, "_counted", counted)
    assert view.gil_shares == {0: pytest.approx(0.9)}
    assert view.part(0, State.HOLDING) >= 0
    assert counted.call_count == 1

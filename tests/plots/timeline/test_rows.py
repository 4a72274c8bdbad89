from __future__ import annotations

import itertools
from pathlib import Path

import pytest

import analysis
import plots
from analysis import Trace
from plots.timeline.coverage import Visible, totals
from plots.timeline.rows import COUNTED, Plan, plan
from tests.analysis.report.test_rows import program_of_many
from tests.synthetic import TraceWriter

from ..conftest import SCENES, Scene

ROOM = 4.25


def planned(trace: Trace, **options: object) -> Plan:
    seen = Visible(trace, trace.begin, max(trace.end, trace.begin + 1))
    return plan(trace, seen, totals(seen, COUNTED), ROOM, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SCENES)
def test_rows_are_below_each_other_and_within_the_room(scene: Scene, name: str) -> None:
    rows = planned(scene(name)).rows
    for above, below in itertools.pairwise(rows):
        assert above.top + above.height <= below.top + 1e-9
    for row in rows:
        assert row.top <= row.bar[0] < row.bar[1] <= row.top + row.height
    assert rows[-1].top + rows[-1].height <= ROOM + 1e-6


@pytest.mark.parametrize("name", SCENES)
def test_each_living_thread_is_in_one_place(scene: Scene, name: str) -> None:
    trace = scene(name)
    found = planned(trace)
    assert sorted(found.shown + found.hidden) == [t.index for t in trace.threads]
    assert [row.thread for row in found.lanes()] == list(found.shown)
    assert found.lanes()[0].thread == 0  # the main thread is first
    rest = [row for row in found.rows if row.kind == "rest"]
    assert len(rest) == bool(found.hidden)


def test_five_hundred_threads_share_what_is_left(scene: Scene) -> None:
    trace = scene("many_threads")
    found = planned(trace)
    assert 8 <= len(found.shown) <= 14
    assert found.rows[-1].label == f"{500 - len(found.shown)} more threads"
    seen = Visible(trace, trace.begin, trace.end)
    times = totals(seen, COUNTED)
    busy = times[:, 0] + times[:, 1]
    assert min(busy[list(found.shown[1:])]) >= max(busy[list(found.hidden)])


@pytest.mark.parametrize(("idle", "lanes"), [(3, 5), (4, 2)])
def test_more_than_a_few_idle_threads_share_a_row(tmp_path: Path, idle: int, lanes: int) -> None:
    with TraceWriter(tmp_path / "t.trace") as writer:
        process = writer.process()
        process.events([(100, 0, "gil_acquired"), (101, 0, "gil_wait"), (100, 500, "gil_released")])
        process.events([(101, 500, "gil_acquired"), (101, 1000, "gil_released")])
        for tid in range(200, 200 + idle):
            process.events([(tid, 0, "thread_start"), (tid, 1000, "thread_exit")])
    found = planned(analysis.load(tmp_path / "t.trace"))
    assert (len(found.shown), len(found.hidden)) == (lanes, 2 + idle - lanes)


def test_lanes_on_demand_make_it_higher(scene: Scene) -> None:
    found = planned(scene("many_threads"), max_lanes=40)
    assert len(found.shown) == 40
    assert ROOM < found.height < 40 * 0.4 + 1


def test_a_process_with_one_thread_needs_one_label(scene: Scene) -> None:
    rows = planned(scene("pool")).rows
    assert [row.label for row in rows if not row.attached][:2] == ["process 100", "process 600"]
    assert all(row.attached for row in rows if row.kind == "strip")
    assert len(planned(scene("pool")).lanes()) == 9


def test_processes_with_threads_have_a_header(scene: Scene) -> None:
    rows = planned(scene("processes")).rows
    assert [(row.kind, row.label) for row in rows[2:6]] == [
        ("process", "process 200"),
        ("lane", "MainThread"),
        ("lane", "worker-1"),
        ("strip", "GIL owner"),
    ]


def test_one_process_has_no_header(scene: Scene) -> None:
    kinds = [row.kind for row in planned(scene("two_threads")).rows]
    assert kinds == ["lane", "lane", "lane", "strip"]


def test_each_gil_has_a_strip(scene: Scene) -> None:
    trace = scene("subinterpreters")
    strips = planned(trace).strips()
    assert [row.label for row in strips] == [f"owner of GIL {n}" for n in range(3)]
    assert [trace.gils[row.gil].number for row in strips] == [0, 1, 2]
    assert planned(trace, strips=False).strips() == []


def test_lanes_are_of_those_that_hold_and_wait(tmp_path: Path) -> None:
    """Of a library's own threads those that compute come next; the title is about the ones that wait."""
    trace = analysis.load(program_of_many(tmp_path / "t"))
    figure = plots.timeline(trace).get_figure()
    assert figure is not None
    (title,) = (text.get_text() for text in figure.texts if text.get_gid() == "title")
    assert (
        title.replace("\N{NO-BREAK SPACE}", " ")
        == "3 threads share one GIL: each waits 25 – 75 % of its life"
    )
    labels = [label.get_text() for label in plots.timeline(trace).get_yticklabels()]
    for name in ("MainThread", "infer-0", "infer-3", "cuda-EvtHandlr", "thread 207"):
        assert name in labels

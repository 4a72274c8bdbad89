"""Patterns: synthetic traces that have one, and their neighbours that don't."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

import analysis
from analysis.why.detectors.scene import Scene
from tests.analysis.schedules import Schedule, schedules
from tests.synthetic import ProcessWriter, TraceWriter

MS = 1_000_000
IO, CPU = 101, 102
Events = list[tuple[Any, ...]]


def found(path: Path, events: Events, end: int, **environment: Any) -> dict[str, analysis.Pattern]:
    """Return the patterns of one process, by name and first thread."""
    with TraceWriter(path) as writer:
        process = writer.process(100, begin=0, **environment)
        name_threads(process)
        process.code(1, 0, "sort_it", "/srv/app.py", 10).frame(1, 0, 1)
        process.events([(100, 0, "recording_start"), (100, 0, "gil_acquired"), (100, 1, "gil_released")])
        process.events(events).stop(100, end)
    trace = analysis.load(path)
    assert not list(analysis.validate(trace))
    return {pattern.name: pattern for pattern in analysis.patterns(trace)}


def name_threads(process: ProcessWriter) -> None:
    for tid, name in ((IO, "io"), (CPU, "cpu"), (103, "third")):
        process.name(tid, 0, name)


@pytest.mark.parametrize(("length", "interval"), [(MS // 10, MS // 10), (5 * MS, 5 * MS), (6 * MS, 5 * MS)])
def test_an_interval_that_was_set_later_is_seen(tmp_path: Path, length: int, interval: int) -> None:
    """By how long timed waits are; the metadata has that of the start."""
    events, end = turns(25, hold=1000, wait=length + 10, pause=MS)
    with TraceWriter(tmp_path / "t") as writer:
        writer.process(100, begin=0).events(events).stop(CPU, end)
    trace = analysis.load(tmp_path / "t")
    assert Scene(trace, trace.gils[0]).interval == interval


def turns(count: int, hold: int, wait: int, pause: int, *, asked: bool = True) -> tuple[Events, int]:
    """IO waits for CPU, holds for a moment and is away; CPU holds all the time between."""
    events: Events = [(CPU, 10, "gil_acquired")]
    now = 10
    for _ in range(count):
        ask, release = now + pause, now + pause + wait
        timeouts: Events = [(IO, release - 10, "gil_timeout", 0, wait - 10)] if asked else []
        drop: Events = [(CPU, release, "gil_drop_requested")] if asked else []
        events += [(IO, ask, "gil_wait"), *timeouts, (CPU, release, "gil_released"), *drop]
        events += [(IO, release + 10, "gil_acquired"), (IO, release + 10 + hold, "gil_released")]
        now = release + 20 + hold
        events.append((CPU, now, "gil_acquired"))
    return events, now + 1


def test_convoy(tmp_path: Path) -> None:
    events, end = turns(20, hold=20_000, wait=5 * MS, pause=MS)
    pattern = found(tmp_path / "t", events, end)["convoy"]
    assert pattern.threads == (2,)
    assert pattern.figures == {
        "waits": 20,
        "waits_that_pay": 20,
        "paid_ns": 20 * (5 * MS + 10),
        "median_intervals": (5 * MS + 10) / (5 * MS),
        "median_hold_ns": 20_000,
    }
    assert pattern.score == 1.0
    assert (pattern.begin, pattern.end) == (10 + MS, end - 1 - 20_000 - 10)
    assert pattern.sentence.startswith(
        "Convoy: io pays a switch interval of 5.00 ms or more for 20 of its 20"
    )


@pytest.mark.parametrize(
    ("count", "hold", "wait", "pause"),
    [
        (9, 20_000, 5 * MS, MS),  # too few to say
        (20, 1_100_000, 5 * MS, MS),  # it computes itself
        (20, 20_000, 4 * MS, MS),  # the other one lets go by itself before the interval is over
        (20, 20_000, 5 * MS, 90 * MS),  # it hardly ever wants the GIL
    ],
)
def test_no_convoy(tmp_path: Path, count: int, hold: int, wait: int, pause: int) -> None:
    events, end = turns(count, hold, wait, pause, asked=wait >= 5 * MS)
    assert "convoy" not in found(tmp_path / "t", events, end)


def test_python_2_has_no_interval_to_pay(tmp_path: Path) -> None:
    events, end = turns(20, hold=20_000, wait=5 * MS, pause=MS, asked=False)
    assert "convoy" in found(tmp_path / "3", events, end, python_version="3.12.1")
    assert "convoy" not in found(tmp_path / "2", events, end, python_version="2.7.18", switch_interval_ns=0)


@pytest.mark.parametrize(("hold", "thrashes"), [(400_000, True), (600_000, False), (5 * MS, False)])
def test_thrashing(tmp_path: Path, hold: int, thrashes: bool) -> None:
    """Two threads take turns; from ten times in 5 ms on, they do nothing else."""
    events: Events = []
    now = 10
    for turn in range(120):
        mine, other = (IO, CPU) if turn % 2 else (CPU, IO)
        events += [(mine, now, "gil_acquired"), (other, now + 10, "gil_wait")]
        events += [(mine, now + hold, "gil_released")]
        now += hold + 50_000
    patterns = found(tmp_path / "t", [*events, (IO if mine == CPU else CPU, now, "gil_acquired")], now + 1)
    assert ("thrashing" in patterns) == thrashes
    if thrashes:
        pattern = patterns["thrashing"]
        assert (pattern.figures["switches"], pattern.figures["free_ns"]) == (120, 120 * 50_000)
        rate = 120 * 5 * MS / pattern.figures["contended_ns"]
        assert pattern.score == pytest.approx(rate / (rate + 10))
    else:
        assert patterns == {}  # ordinary sharing has no name


@pytest.mark.parametrize(("overdue", "is_one"), [(11 * MS, True), (4 * MS, False)])
def test_hog(tmp_path: Path, overdue: int, is_one: bool) -> None:
    asked = 10 + 5 * MS
    release = asked + overdue
    events: Events = [(CPU, 10, "gil_acquired"), (IO, 10, "gil_wait"), (IO, asked, "gil_timeout", 0, 5 * MS)]
    events += [(CPU, release, "gil_released", 0, 1), (CPU, release, "gil_drop_requested")]
    events += [(IO, release + 10, "gil_acquired"), (IO, release + 20, "gil_released")]
    patterns = found(tmp_path / "t", events, release + 30)
    assert ("hog" in patterns) == is_one
    if is_one:
        pattern = patterns["hog"]
        assert (pattern.threads, pattern.begin, pattern.end) == ((2,), 10, release)
        assert pattern.figures == {"holds": 1, "overdue_ns": 11 * MS, "longest_overdue_ns": 11 * MS}
        assert pattern.score == pytest.approx(11 / 16, abs=1e-4)
        assert pattern.sentence == (
            "Hog: sort_it(), app.py:10, in cpu kept the GIL up to 11.0 ms after it was asked for it,"
            " unless it had no CPU or slept (not recorded)."
        )


def test_a_long_hold_that_nobody_minds_is_no_hog(tmp_path: Path) -> None:
    events: Events = [(CPU, 10, "gil_acquired"), (CPU, 100 * MS, "gil_released")]
    events += [(IO, 100 * MS + 10, "gil_acquired"), (IO, 100 * MS + 20, "gil_released")]
    assert set(found(tmp_path / "t", events, 100 * MS + 30)) == {"no contention"}


def stuck(wait: int, share: int) -> tuple[Events, int]:
    """CPU and a third take turns that they end themselves, while IO gets a moment after each `wait`."""
    events: Events = []
    now = 10
    for _ in range(4):
        begin, turn = now, 0
        events.append((IO, begin + 5, "gil_wait"))
        while now < begin + wait:
            tid = CPU if turn % 2 else 103
            events += [(tid, now, "gil_acquired"), (tid, now + 2 * MS, "gil_released")]
            now += 2 * MS + 10
            turn += 1
        events += [(IO, now, "gil_acquired"), (IO, now + share, "gil_released")]
        now += share + 10
    return events, now


@pytest.mark.parametrize(
    ("wait", "share", "starves"),
    [(80 * MS, 1 * MS, True), (20 * MS, 1 * MS, False), (80 * MS, 60 * MS, False)],
)
def test_starvation(tmp_path: Path, wait: int, share: int, starves: bool) -> None:
    events, end = stuck(wait, share)
    patterns = found(tmp_path / "t", events, end)
    assert ("starvation" in patterns) == starves
    if starves:
        pattern = patterns["starvation"]
        assert pattern.threads == (2,)
        assert pattern.figures["fair_share"] == pytest.approx(1 / 3)
        assert pattern.figures["share"] == pytest.approx(1 / 81, abs=0.001)


@pytest.mark.parametrize(("stalled", "is_one"), [(30, True), (10, False)])
@pytest.mark.parametrize(
    ("leaves", "name", "figures"),
    [
        ("preempted", "stalled holder", ("stalled_ns", "longest_stall_ns")),
        ("out", "sleeping holder", ("asleep_ns", "longest_sleep_ns")),
    ],
)
def test_holder_without_a_cpu(
    tmp_path: Path, stalled: int, is_one: bool, leaves: str, name: str, figures: tuple[str, str]
) -> None:
    """CPU holds for 100 ms, of which IO waits for 99; it has no CPU for some of them, or sleeps."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100, begin=0)
        name_threads(process)
        process.events([(100, 0, "recording_start"), (CPU, 1, "gil_acquired"), (IO, MS, "gil_wait")])
        process.events([(CPU, 100 * MS, "gil_released"), (IO, 100 * MS + 5, "gil_acquired")])
        process.events([(IO, 100 * MS + 9, "gil_released")]).stop(100, 100 * MS + 10)
        sched = writer.scheduler(0)
        sched.events(0, [(0, "in", CPU), (50 * MS, leaves, CPU), ((50 + stalled) * MS, "in", CPU)])
        sched.task(CPU, 0, 100, "python").task(IO, 0, 100, "python").stop(101 * MS)
    patterns = {pattern.name: pattern for pattern in analysis.patterns(analysis.load(tmp_path / "t"))}
    assert {"stalled holder", "sleeping holder"} & set(patterns) == ({name} if is_one else set())
    if is_one:
        pattern = patterns[name]
        assert [pattern.figures[figure] for figure in figures] == [30 * MS, 30 * MS]
        assert "sort_it()" not in pattern.sentence  # where it was is not recorded
        assert pattern.score == pytest.approx(30 / 99, abs=1e-4)
        assert pattern.threads == (1,)


def test_what_a_holder_does_with_another_gil_is_not_told_of_this_one(tmp_path: Path) -> None:
    """CPU sleeps for 30 ms with the GIL that IO waits for, and longer with another one."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100, begin=0)
        name_threads(process)
        process.events([(100, 0, "recording_start"), (CPU, 1, "gil_acquired"), (IO, MS, "gil_wait")])
        process.events([(CPU, 100 * MS, "gil_released"), (IO, 100 * MS + 5, "gil_acquired")])
        process.events([(IO, 100 * MS + 9, "gil_released")])
        process.events([(CPU, 110 * MS, "gil_acquired", 1), (CPU, 190 * MS, "gil_released", 1)])
        process.events([(103, 150 * MS, "gil_wait", 1), (103, 190 * MS + 5, "gil_acquired", 1)])
        process.events([(103, 190 * MS + 9, "gil_released", 1)]).stop(100, 200 * MS)
        sched = writer.scheduler(0)
        sched.events(0, [(0, "in", CPU), (50 * MS, "out", CPU), (80 * MS, "in", CPU)])
        sched.events(1, [(130 * MS, "out", CPU), (185 * MS, "in", CPU)])
        sched.task(CPU, 0, 100, "python").task(IO, 0, 100, "python").task(103, 0, 100, "python")
        sched.stop(200 * MS)
    longest = [
        pattern.figures["longest_sleep_ns"]
        for pattern in sorted(analysis.patterns(analysis.load(tmp_path / "t")), key=lambda each: each.begin)
        if pattern.name == "sleeping holder"
    ]
    assert longest == [30 * MS, 55 * MS]


@pytest.mark.parametrize(("wait", "is_none"), [(0, True), (9 * MS // 10, True), (11 * MS // 10, False)])
def test_no_contention(tmp_path: Path, wait: int, is_none: bool) -> None:
    events: Events = [(CPU, 50 * MS - wait - 5, "gil_acquired")]
    events += [(IO, 50 * MS - wait, "gil_wait")] if wait else []
    events += [(CPU, 50 * MS, "gil_released"), (IO, 50 * MS, "gil_acquired"), (IO, 51 * MS, "gil_released")]
    patterns = found(tmp_path / "t", events, 100 * MS)
    assert set(patterns) == ({"no contention"} if is_none else set())
    if is_none:
        assert patterns["no contention"].score == pytest.approx(1 - wait / MS)


@given(schedules(), st.sampled_from([1, 100, 5 * MS]))
@settings(max_examples=60, deadline=None)
def test_any_schedule(schedule: Schedule, interval: int) -> None:
    """Whatever happened: in range, about threads of its process, best first."""
    first = schedule.events[0][0] if schedule.events else 0
    stop = isinstance(first, int) and first - 100 not in schedule.gone
    with tempfile.TemporaryDirectory() as directory:
        path = schedule.finish(Path(directory) / "t", stop=stop, switch_interval_ns=interval)
        trace = analysis.load(path)
    patterns = analysis.patterns(trace)
    assert [pattern.score for pattern in patterns] == sorted((p.score for p in patterns), reverse=True)
    for pattern in patterns:
        assert 0 <= pattern.score <= 1
        assert trace.begin <= pattern.begin <= pattern.end <= trace.end
        assert {trace.threads[thread].process for thread in pattern.threads} == {pattern.process}
        assert pattern.sentence.endswith(".")


def test_one_thread_has_no_pattern(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        writer.process().events([(100, 0, "gil_acquired"), (100, 50, "gil_released")]).stop(100, 60)
    assert analysis.patterns(analysis.load(tmp_path / "t")) == ()


def test_in_the_summary(tmp_path: Path) -> None:
    from analysis.report.summary import to_json

    events, end = turns(20, hold=20_000, wait=5 * MS, pause=MS)
    found(tmp_path / "t", events, end)
    (pattern,) = to_json(analysis.load(tmp_path / "t"))["patterns"]
    assert (pattern["name"], pattern["pid"], pattern["tids"]) == ("convoy", 100, [IO])

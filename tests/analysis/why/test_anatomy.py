"""The parts of waits, and who is to blame for them: exact figures, and schedules against the slow way."""

from __future__ import annotations

import tempfile
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import analysis
from analysis.tables.gil.anatomy import PARTS, STALLED
from tests.analysis.scenes import one_thread, scheduled, two_threads
from tests.analysis.schedules import Schedule, schedules
from tests.analysis.why.slow_anatomy import slow
from tests.synthetic import TraceWriter

A, B, C = 101, 102, 103
Events = list[tuple[int | str, ...]]


def load(path: Path, events: Events, *, stop: int = 1_000, discard: int = 0) -> analysis.Trace:
    """Return a trace of these events; main has the GIL from 0 to 5, if they don't say otherwise."""
    with TraceWriter(path) as trace:
        process = trace.process(100)
        process.events([(100, 0, "recording_start")])
        process.events([(100, 0, "gil_acquired"), (100, 5, "gil_released")])
        process.events(events)
        if discard:
            process.discard(100, discard)
        process.stop(100, stop)
    return analysis.load(path)


def parts(trace: analysis.Trace, tid: int) -> list[dict[str, int]]:
    """Return the parts that are not 0 of each of a thread's waits."""
    [thread] = [thread.index for thread in trace.threads if thread.tid == tid]
    rows = trace.anatomy[trace.waits["thread"] == thread]
    names = (*PARTS, *STALLED)
    return [{name: int(row[name]) for name in names if row[name]} for row in rows]


A_HOLDS: Events = [(A, 10, "gil_acquired"), (B, 20, "gil_wait"), (B, 70, "gil_timeout")]


def test_asked_and_handed_on(tmp_path: Path) -> None:
    trace = load(tmp_path / "t", [*A_HOLDS, (A, 78, "gil_released"), (B, 90, "gil_acquired")])
    assert parts(trace, B) == [{"politeness": 50, "response": 8, "handoff": 12}]


def test_released_before_anybody_asked(tmp_path: Path) -> None:
    events: Events = [*A_HOLDS[:2], (A, 60, "gil_released"), (B, 61, "gil_acquired")]
    assert parts(load(tmp_path / "t", events), B) == [{"politeness": 40, "handoff": 1}]


def test_somebody_else_took_it(tmp_path: Path) -> None:
    """B's timeout at 75 makes no request: the GIL has changed hands. The one at 125 does."""
    events: Events = [
        (A, 10, "gil_acquired"),
        (B, 25, "gil_wait"),
        (A, 40, "gil_released"),
        (C, 43, "gil_acquired"),
        (B, 75, "gil_timeout"),
        (B, 125, "gil_timeout"),
        (C, 130, "gil_released"),
        (B, 137, "gil_acquired"),
    ]
    trace = load(tmp_path / "t", events)
    assert parts(trace, B) == [{"politeness": 15, "overtaken": 3 + 82, "response": 5, "handoff": 7}]
    assert rows(analysis.blame(trace)) == [(B, A, 15, 1), (B, C, 87, 1), (B, None, 10, 1)]


def rows(of: analysis.Blame) -> list[tuple[int, int | None, int, int]]:
    """Return the BLAME table by tid, nobody last; main is thread 0, so that A is 1 …"""
    found = [
        (100 + row[0], None if row[1] < 0 else 100 + row[1], row[2], row[3]) for row in of.table.tolist()
    ]
    return sorted(found, key=lambda row: (row[0], row[1] is None, row[1] or 0))


def test_asked_by_another_one_before(tmp_path: Path) -> None:
    """The request is one flag of the holder's: C comes when B has set it, and is never polite."""
    events: Events = [
        *A_HOLDS,
        (C, 72, "gil_wait"),
        (A, 80, "gil_released"),
        (C, 81, "gil_acquired"),
        (C, 90, "gil_released"),
        (B, 95, "gil_acquired"),
    ]
    trace = load(tmp_path / "t", events)
    assert parts(trace, C) == [{"response": 8, "handoff": 1}]
    assert parts(trace, B) == [{"politeness": 50, "response": 10, "overtaken": 10, "handoff": 5}]


def test_the_holder_took_it_again(tmp_path: Path) -> None:
    """The same thread again is no switch, so the next timeout asks; what was asked before is withdrawn."""
    again: Events = [(A, 80, "gil_released"), (A, 84, "gil_acquired")]
    end: Events = [(B, 120, "gil_timeout"), (A, 150, "gil_released"), (B, 151, "gil_acquired")]
    found = parts(load(tmp_path / "t", [*A_HOLDS, *again, *end]), B)
    assert found == [{"politeness": 50, "response": 10 + 30, "overtaken": 4 + 36, "handoff": 1}]


def test_free_at_the_start(tmp_path: Path) -> None:
    """It was free when B asked: a handoff if B gets it, else B meets the hold that began before it looked."""
    events: Events = [(B, 7, "gil_wait"), (B, 10, "gil_acquired"), (B, 20, "gil_released")]
    assert parts(load(tmp_path / "t", events), B) == [{"handoff": 3}]
    events = [(B, 7, "gil_wait"), (A, 10, "gil_acquired"), (A, 30, "gil_released"), (B, 32, "gil_acquired")]
    assert parts(load(tmp_path / "u", events), B) == [{"politeness": 23, "handoff": 2}]


@pytest.mark.parametrize("end", [[], [(B, 90, "gil_abandoned"), (B, 91, "thread_exit")]])
def test_no_handoff_without_an_acquire(tmp_path: Path, end: Events) -> None:
    trace = load(tmp_path / "t", [*A_HOLDS, (A, 78, "gil_released"), *end], stop=90 + len(end))
    assert parts(trace, B) == [{"politeness": 50, "response": 8, "overtaken": 12}]


def test_still_held_at_the_end(tmp_path: Path) -> None:
    assert parts(load(tmp_path / "t", A_HOLDS, stop=100), B) == [{"politeness": 50, "response": 30}]


def test_held_by_nobody_knows_whom(tmp_path: Path) -> None:
    """B is there first, and waits for a thread that was not seen to take the GIL."""
    with TraceWriter(tmp_path / "t") as trace:
        process = trace.process(100, begin=0)
        process.events([(100, 0, "recording_start"), (B, 10, "gil_wait"), (A, 30, "gil_released")])
        process.events([(B, 31, "gil_acquired"), (B, 40, "gil_released")])
        process.name(A, 0, "python3", "thread_alive").stop(100, 50)
    found = analysis.load(tmp_path / "t")
    assert parts(found, B) == [{"handoff": 1, "unknown": 20}]
    assert analysis.blame(found).matrix().tolist()[2] == [0, 0, 0, 21]


def test_where_events_were_lost(tmp_path: Path) -> None:
    """A's recording fails in its hold: who had the GIL between that and B's acquire is not known."""
    events: Events = [(A, 10, "gil_acquired"), (B, 20, "gil_wait"), (B, 90, "gil_acquired")]
    trace = load(tmp_path / "t", [*events, (A, 40, "thread_exit")])
    assert parts(trace, B) == [{"politeness": 20, "unknown": 50}]


def test_stalled_holders(tmp_path: Path) -> None:
    """100 holds from 1000 to 3000, is asked at 2500, and has a CPU from 1800 on; 101 has none later.

    101 waits from 2000 to 3100. 100 waits from 3500 to 4050, for 101, which holds to 4000 and has no CPU
    before 3600, and none from 3900 to 3950.
    """
    trace = analysis.load(scheduled(tmp_path / "t"))
    assert parts(trace, 101) == [{"politeness": 500, "response": 500, "handoff": 100}]
    assert parts(trace, 100) == [{"politeness": 500, "handoff": 50, "stalled_politeness": 150}]


def test_totals(tmp_path: Path) -> None:
    trace = analysis.load(two_threads(tmp_path / "t"))
    found = analysis.wait_anatomy(trace)
    assert [(of.waits, of.politeness, of.response, of.handoff) for of in found.threads] == [
        (1, 500, 0, 50),
        (1, 500, 500, 100),
    ]
    assert (found.whole.total, found.whole.stalled, found.whole.waits) == (1650, 0, 2)
    assert found.processes == (found.whole,)
    assert not found.scheduled


def test_nobody_waits(tmp_path: Path) -> None:
    trace = analysis.load(one_thread(tmp_path / "t"))
    assert analysis.wait_anatomy(trace).whole.total == 0
    assert analysis.blame(trace).matrix().tolist() == [[0, 0]]


@settings(max_examples=60, deadline=None)
@given(schedules(), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 700)), max_size=40))
def test_every_schedule(schedule: Schedule, toggles: list[tuple[int, int]]) -> None:
    """The parts add up, and are what the slow way finds; so is the blame, also with holders without a CPU."""
    with tempfile.TemporaryDirectory() as directory:
        path = schedule.finish(Path(directory) / "t", stop=False)
        if toggles:
            _schedule_cpus(path, toggles, schedule.now)
        trace = analysis.load(path)
    expected, charged = slow(trace)
    names = trace.anatomy.dtype.names or ()
    assert [dict(zip(names, row, strict=True)) for row in trace.anatomy.tolist()] == expected
    parts = np.stack([trace.anatomy[name] for name in PARTS], axis=1)
    assert parts.sum(axis=1).tolist() == trace.waits["duration"].tolist()
    found = analysis.blame(trace)
    assert {(row[0], row[1]): [row[2], row[3]] for row in found.table.tolist()} == charged
    waited = [part.total for part in analysis.wait_anatomy(trace).threads]
    assert found.matrix().sum(axis=1).tolist() == waited
    statistics = analysis.statistics(trace)
    assert waited == [of.time[analysis.State.WAITING] for of in statistics.threads]


def _schedule_cpus(path: Path, toggles: list[tuple[int, int]], end: int) -> None:
    """Put threads on a CPU of their own and off it, at times in 1/700 of the trace."""
    with TraceWriter(path) as writer:
        sched = writer.scheduler(900)
        for thread in {thread for thread, _ in toggles}:
            times = sorted({900 + (end - 900) * at // 700 for who, at in toggles if who == thread})
            turns = ("in", "out", "in", "preempted")
            events = [(time, turns[turn % 4], 100 + thread) for turn, time in enumerate(times)]
            sched.events(thread, events)
            sched.task(100 + thread, 900, 100, "python")
        sched.stop(end)


def test_first_requests_are_what_requested_says(tmp_path: Path) -> None:
    trace = load(tmp_path / "t", [*A_HOLDS, (A, 78, "gil_released"), (B, 90, "gil_acquired")])
    [gil] = trace.gils
    assert np.flatnonzero(trace.first_requests(gil) == 70).tolist() == [1]
    assert np.flatnonzero(trace.holds(gil).requested).tolist() == [1]

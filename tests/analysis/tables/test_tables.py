"""Exact figures: intervals, waits, handoffs and statistics, computed by hand."""

from pathlib import Path

import numpy as np
import pytest

import analysis
from analysis import Outcome, State
from analysis.measures.distribution import NONE, Distribution, distribution
from analysis.measures.statistics import Counts
from analysis.tables.gil.waits import someone_waits
from tests.analysis.scenes import one_thread, two_threads
from tests.synthetic import TraceWriter

H, W, R, U = State.HOLDING, State.WAITING, State.RELEASED, State.UNKNOWN
NO_TIME = dict.fromkeys(State, 0)


def test_intervals(tmp_path: Path) -> None:
    table = analysis.load(two_threads(tmp_path / "t")).intervals
    assert table[["start", "duration", "thread", "gil", "state", "unfinished"]].tolist() == [
        (1000, 2000, 0, 0, H, False),
        (3000, 500, 0, -1, R, False),
        (3500, 550, 0, 0, W, False),
        (4050, 950, 0, 0, H, True),
        (2000, 1100, 1, 0, W, False),
        (3100, 900, 1, 0, H, False),
        (4000, 500, 1, -1, R, False),
    ]


def test_waits(tmp_path: Path) -> None:
    table = analysis.load(two_threads(tmp_path / "t")).waits
    assert table[["start", "duration", "thread", "gil", "timeouts", "outcome"]].tolist() == [
        (3500, 550, 0, 0, 0, Outcome.ACQUIRED),
        (2000, 1100, 1, 0, 1, Outcome.ACQUIRED),
    ]


def test_handoffs(tmp_path: Path) -> None:
    table = analysis.load(two_threads(tmp_path / "t")).handoffs
    assert table.dtype.names is not None
    assert table.tolist() == [(3000, 3100, 0, 0, 1, True, True), (4000, 4050, 0, 1, 0, False, True)]


def test_statistics(tmp_path: Path) -> None:
    statistics = analysis.statistics(analysis.load(two_threads(tmp_path / "t")))
    main, worker = statistics.threads
    assert main.time == NO_TIME | {R: 500, W: 550, H: 2950}
    assert worker.time == NO_TIME | {R: 500, W: 1100, H: 900}
    assert main.counts == Counts(
        acquires=2,
        contended_acquires=1,
        timeouts=0,
        requested_releases=1,
        voluntary_releases=0,
        abandons=0,
    )
    assert worker.counts == Counts(1, 1, 1, 0, 1, 0)
    assert main.hold == Distribution(2, 2950, 950, 1475.0, 1475.0, 1895.0, 1989.5, 2000)
    assert worker.wait == Distribution(1, 1100, 1100, 1100.0, 1100.0, 1100.0, 1100.0, 1100)
    [gil] = statistics.gils
    assert (gil.duration, gil.held, gil.contended) == (4000, 3850, 1100 + 550)
    assert (gil.handoffs, gil.switches, gil.requested) == (2, 2, 1)
    assert gil.utilisation == 3850 / 4000
    assert gil.contention == 1650 / 4000
    assert statistics.matrix().tolist() == [[0, 1], [1, 0]]
    assert statistics.flow.tolist() == [(0, 1, 1, 1), (1, 0, 1, 0)]
    assert statistics.counts == Counts(3, 2, 1, 1, 1, 0)
    assert statistics.time == NO_TIME | {R: 1000, W: 1650, H: 3850}
    assert statistics.parallelism == 3850 / 4000


def test_nobody_waits(tmp_path: Path) -> None:
    statistics = analysis.statistics(analysis.load(one_thread(tmp_path / "t", 4)))
    [gil] = statistics.gils
    assert (gil.held, gil.contended, gil.handoffs, gil.switches) == (400, 0, 3, 0)
    assert statistics.wait == NONE
    assert statistics.matrix().tolist() == [[3]]


def test_many_waiters(tmp_path: Path) -> None:
    """Three wait at once: contention counts the time once, their waits count it three times."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        process.events([(100, 0, "gil_acquired"), (100, 50, "gil_released"), (100, 51, "gil_acquired")])
        for waiter in (1, 2, 3):
            process.events([(100 + waiter, 10 * waiter, "gil_wait")])
        process.events([(103, 90, "gil_abandoned"), (103, 95, "thread_exit")])
        process.stop(100, 100)
    trace = analysis.load(tmp_path / "t")
    assert trace.waits["duration"].tolist() == [90, 80, 60]
    assert trace.waits["outcome"].tolist() == [Outcome.UNFINISHED, Outcome.UNFINISHED, Outcome.ABANDONED]
    assert trace.handoffs[["from_thread", "to_thread", "contended"]].tolist() == [(0, 0, True)]
    statistics = analysis.statistics(trace)
    assert statistics.gils[0].contended == 90
    assert statistics.time[W] == 230
    assert statistics.threads[3].counts.abandons == 1
    assert statistics.threads[3].time == NO_TIME | {R: 5, W: 60, H: 0}
    assert analysis.validate(trace) == []


def test_handoff_at_the_same_nanosecond(tmp_path: Path) -> None:
    """Order within one stamp: a hold of no length comes before the one that begins then."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        process.events([(100, 0, "thread_start"), (100, 10, "gil_acquired"), (100, 20, "gil_released")])
        process.events([(101, 10, "gil_acquired"), (101, 10, "gil_released")])
        process.stop(100, 30)
    trace = analysis.load(tmp_path / "t")
    assert trace.handoffs[["released", "acquired", "from_thread", "to_thread"]].tolist() == [(10, 10, 1, 0)]
    assert analysis.validate(trace) == []


def test_unfinished_hold_hands_nothing_on(tmp_path: Path) -> None:
    """101 was killed in mid-hold by the exit of its thread: what it would have done is not made up."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        process.events([(101, 0, "gil_acquired"), (101, 10, "thread_exit"), (100, 20, "gil_acquired")])
        process.stop(100, 30)
    trace = analysis.load(tmp_path / "t")
    assert len(trace.handoffs) == 0
    of_101 = trace.intervals[trace.intervals["thread"] == 1]
    assert of_101[["start", "duration", "state", "unfinished"]].tolist() == [(0, 10, H, True)]


def test_percentiles_are_numpys() -> None:
    values = np.random.default_rng(0).integers(0, 10**9, 1234)
    expected = np.percentile(values, [50, 90, 99])
    found = distribution(values.copy())
    assert np.allclose([found.p50, found.p90, found.p99], expected, rtol=1e-12)
    assert (found.min, found.max, found.total) == (values.min(), values.max(), values.sum())


@pytest.mark.parametrize(
    ("waits", "expected"),
    [
        ([], []),
        ([(0, 10)], [(0, 10)]),
        ([(0, 10), (20, 30)], [(0, 10), (20, 30)]),
        ([(0, 10), (5, 30), (25, 26)], [(0, 30)]),
        ([(0, 10), (10, 20)], [(0, 20)]),
        ([(5, 6), (0, 100), (50, 120), (130, 131)], [(0, 120), (130, 131)]),
    ],
)
def test_someone_waits(waits: list[tuple[int, int]], expected: list[tuple[int, int]]) -> None:
    table = np.array(waits, np.int64).reshape(-1, 2)
    begin, end = someone_waits(table[:, 0], table[:, 1])
    assert list(zip(begin.tolist(), end.tolist(), strict=True)) == expected

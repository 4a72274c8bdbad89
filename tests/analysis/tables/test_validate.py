"""Each invariant is missed where it does not hold, and where it does not hold is named.

What the reader refuses anyway (times that decrease, takes without end) is put into a trace behind its back.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import analysis
from analysis.reader.format import Event
from analysis.tables.columns import Source
from analysis.tables.trace import Trace
from tests.analysis.scenes import two_threads
from tests.synthetic import TraceWriter


def changed(trace: Trace, change: Callable[[Trace], None]) -> Trace:
    """Return a trace whose columns are writable copies that `change` has spoilt."""
    columns = trace.columns
    copies = {name: getattr(columns, name).copy() for name in ("time", "kind", "gil", "begin", "end")}
    copy = replace(trace, source=Source(replace(columns, **copies)))
    change(copy)
    return copy


def test_holds_overlap(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        process.events([(100, 0, "gil_acquired"), (100, 50, "gil_released")])
        process.events([(101, 40, "gil_acquired"), (101, 60, "gil_released")])
        process.name(101, 45, "thief").stop(100, 100)
    [violation] = analysis.validate(analysis.load(tmp_path / "t"))
    assert (violation.invariant, violation.thread, violation.time) == (1, 1, 40)
    assert violation.path == tmp_path / "t/100/gil_1"
    assert "thief (101) takes gil 0 while MainThread (100) holds it until 50" in str(violation)


def test_a_hold_within_a_hold(tmp_path: Path) -> None:
    """The one before the last may be the one that lasts."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        process.events([(100, 0, "gil_acquired"), (100, 90, "gil_released")])
        process.events([(101, 10, "gil_acquired"), (101, 20, "gil_released")])
        process.events([(102, 30, "gil_acquired"), (102, 40, "gil_released")])
        process.stop(100, 100)
    assert [v.thread for v in analysis.validate(analysis.load(tmp_path / "t"))] == [1, 2]


def test_life_does_not_match(tmp_path: Path) -> None:
    def earlier(trace: Trace) -> None:
        trace.columns.end[1] -= 3000

    trace = changed(analysis.load(two_threads(tmp_path / "t")), earlier)
    assert {violation.invariant for violation in analysis.validate(trace)} >= {2}


@pytest.mark.parametrize(
    ("at", "kind", "message"),
    [
        (3, Event.GIL_ACQUIRED, "acquires what it holds"),
        (2, Event.GIL_RELEASED, "releases what it does not hold"),
    ],
)
def test_unbalanced(tmp_path: Path, at: int, kind: Event, message: str) -> None:
    def spoil(trace: Trace) -> None:
        trace.columns.kind[at] = kind

    trace = changed(analysis.load(two_threads(tmp_path / "t")), spoil)
    assert any(v.invariant == 3 and message in v.message for v in analysis.validate(trace))


def test_times_decrease(tmp_path: Path) -> None:
    def spoil(trace: Trace) -> None:
        trace.columns.time[5] = 2999

    trace = changed(analysis.load(two_threads(tmp_path / "t")), spoil)
    found = [violation for violation in analysis.validate(trace) if violation.invariant == 4]
    assert found
    assert found[0].thread == 0


def test_a_wait_that_ends_in_nothing(tmp_path: Path) -> None:
    def spoil(trace: Trace) -> None:
        at = int(np.flatnonzero(trace.columns.kind == Event.GIL_WAIT)[0])
        trace.columns.kind[at + 1] = Event.GIL_RELEASED

    trace = changed(analysis.load(two_threads(tmp_path / "t")), spoil)
    assert 5 in {violation.invariant for violation in analysis.validate(trace)}


def requested(tmp_path: Path, *, timeout: int | None, alive: bool = False) -> list[int]:
    """Return the invariants that do not hold when 100 answers a request, and 101 timed out at some time."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        process.events([(100, 0, "recording_start"), (100, 10, "gil_acquired")])
        process.events([(100, 50, "gil_released"), (100, 50, "gil_drop_requested")])
        process.events([(101, 5, "gil_wait")])
        if timeout is not None:
            process.events([(101, timeout, "gil_timeout")])
        process.events([(101, 60, "gil_acquired")])
        if alive:
            process.name(102, 0, "python", "thread_alive").name(102, 1, "who knows")
        process.stop(100, 100)
    return [violation.invariant for violation in analysis.validate(analysis.load(tmp_path / "t"))]


def test_a_request_has_a_timeout(tmp_path: Path) -> None:
    assert requested(tmp_path, timeout=30) == []


@pytest.mark.parametrize("timeout", [None, 7, 55])
def test_a_request_by_nobody(tmp_path: Path, timeout: int | None) -> None:
    assert requested(tmp_path, timeout=timeout) == [6]


def test_a_request_by_someone_unseen(tmp_path: Path) -> None:
    """A thread that lived before and was never seen may be waiting since then."""
    assert requested(tmp_path, timeout=None, alive=True) == []


def test_a_request_from_before(tmp_path: Path) -> None:
    """The hold began before the recording: so may have the request."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        process.events([(100, 10, "recording_start"), (100, 10, "gil_acquired")])
        process.events([(100, 50, "gil_released"), (100, 50, "gil_drop_requested")])
        process.stop(100, 100)
    assert analysis.validate(analysis.load(tmp_path / "t")) == []


def test_lost_in_silence(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        process.events([(100, 10, "gil_acquired")]).discard(100, 3).stop(100, 20)
    [violation] = analysis.validate(analysis.load(tmp_path / "t"))
    assert (violation.invariant, violation.thread) == (7, -1)
    assert "process 100 lost 3 events" in str(violation)

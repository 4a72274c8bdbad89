"""Drop requests, worked out from what the waiters did: one case of the interpreter's rules each."""

from __future__ import annotations

from pathlib import Path

import pytest

import analysis
from tests.synthetic import TraceWriter

A, B, C = 101, 102, 103
Events = list[tuple[int | str, ...]]


def requested(path: Path, events: Events, *, version: str = "3.11.7") -> list[bool]:
    """Return for each handoff whether it answered a request."""
    with TraceWriter(path) as trace:
        process = trace.process(100, python_version=version)
        process.events([(100, 0, "recording_start"), (100, 5, "gil_released"), *events])
        process.stop(100, 1_000)
    # The first is main's.
    return [bool(asked) for asked in analysis.load(path).handoffs["requested"][1:]]


SEEN: Events = [(A, 10, "gil_acquired"), (B, 20, "gil_wait"), (B, 70, "gil_timeout")]


@pytest.mark.parametrize("version", ["3.11.7", "3.14.0"])
def test_a_wait_ran_out_in_the_hold(tmp_path: Path, version: str) -> None:
    events = [*SEEN, (A, 80, "gil_released"), (B, 90, "gil_acquired"), (B, 95, "gil_released")]
    assert requested(tmp_path / "t", events, version=version) == [True]


def test_nobody_ran_out_of_time(tmp_path: Path) -> None:
    events: Events = [
        (A, 10, "gil_acquired"),
        (B, 20, "gil_wait"),
        (A, 60, "gil_released"),
        (B, 61, "gil_acquired"),
    ]
    assert requested(tmp_path / "t", events) == [False]


def test_a_switch_since_the_wait_began_asks_nothing(tmp_path: Path) -> None:
    """The GIL went from A to C while B waited: B's timeout at 70 only begins another timed wait."""
    events: Events = [
        (A, 10, "gil_acquired"),
        (B, 20, "gil_wait"),
        (C, 30, "gil_wait"),
        (A, 40, "gil_released"),
        (C, 41, "gil_acquired"),
        (B, 70, "gil_timeout"),
        (C, 80, "gil_released"),
        (B, 81, "gil_acquired"),
    ]
    assert requested(tmp_path / "t", events) == [False, False]


@pytest.mark.parametrize(("length", "asked"), [(29, True), (30, False), (0xFFFFFFFF, False)])
def test_a_wait_begun_anew_asks_the_holder_of_then(tmp_path: Path, length: int, asked: bool) -> None:
    """Woken by A's release, B finds the GIL C's and waits anew: before C took it, or after?"""
    events: Events = [
        (A, 10, "gil_acquired"),
        (B, 20, "gil_wait"),
        (C, 30, "gil_wait"),
        (A, 40, "gil_released"),
        (C, 41, "gil_acquired"),
        (B, 70, "gil_timeout", 0, length),
        (C, 80, "gil_released"),
        (B, 81, "gil_acquired"),
    ]
    assert requested(tmp_path / "t", events) == [False, asked]


def test_the_same_thread_again_is_no_switch(tmp_path: Path) -> None:
    """A let go and took the GIL back: what was asked before is withdrawn, what is asked after it counts."""
    again: Events = [(A, 80, "gil_released"), (A, 81, "gil_acquired")]
    end: Events = [(A, 150, "gil_released"), (B, 151, "gil_acquired")]
    assert requested(tmp_path / "t", [*SEEN, *again, *end]) == [True, False]
    events = [*SEEN, *again, (B, 120, "gil_timeout"), *end]
    assert requested(tmp_path / "u", events) == [True, True]


FOUND_LATE: Events = [
    (A, 10, "gil_acquired"),
    (B, 20, "gil_wait"),
    (A, 60, "gil_released"),
    (B, 61, "gil_acquired"),
    (C, 62, "gil_wait"),
    (C, 112, "gil_timeout"),
    (A, 120, "gil_drop_requested"),  # A looks only now, and sees what C asked of B
    (B, 130, "gil_released"),
    (C, 131, "gil_acquired"),
]


@pytest.mark.parametrize(("version", "first"), [("3.12.1", False), ("3.13.0", True)])
def test_a_request_to_the_next_holder(tmp_path: Path, version: str, first: bool) -> None:
    """Up to 3.12 a thread can find the request made to its successor; from 3.13 on only its own."""
    assert requested(tmp_path / "t", FOUND_LATE, version=version) == [first, True]


def test_a_request_withdrawn_before_it_was_found(tmp_path: Path) -> None:
    events = [*SEEN, (A, 80, "gil_released"), (B, 81, "gil_acquired"), (A, 99, "gil_wait")]
    assert requested(tmp_path / "t", events) == [True]


def test_counts_of_a_thread(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as trace:
        process = trace.process(100, python_version="3.11.7")
        process.events([(100, 0, "recording_start"), (100, 5, "gil_released"), *SEEN])
        process.events([(A, 80, "gil_released"), (B, 81, "gil_acquired"), (B, 90, "gil_released")])
        process.stop(100, 1_000)
    threads = analysis.statistics(analysis.load(tmp_path / "t")).threads
    counts = [(of.counts.requested_releases, of.counts.voluntary_releases) for of in threads]
    assert counts == [(0, 1), (1, 0), (0, 1)]

"""Invariants 11 and 12: a trace in which a lock is had twice, or got from nobody, is found out."""

from __future__ import annotations

from pathlib import Path

import pytest

import analysis
from tests.analysis.lock_scenes import MAIN, A, B, process_with_locks
from tests.synthetic import TraceWriter

MS = 1_000_000
C = 103


def violations(
    path: Path, events: list[tuple[int | str, ...]], patient: int = 20, kind: str = "object"
) -> list[str]:
    """What is wrong when main waits for lock 4 from 80 ms on, and c since `patient` ms before that."""
    with TraceWriter(path) as writer:
        process = process_with_locks(writer)
        process.lock(4, 900, kind, 0x8F00, "_thread.lock" if kind == "object" else "")
        process.name(C, 900, "c")
        process.events(
            [
                (C, 1_100, "thread_start"),
                (C, (80 - patient) * MS, "lock_wait", 0, 4),
                (MAIN, 70 * MS, "lock_wait", 0, 4),
                (MAIN, 80 * MS, "lock_acquired", 0, 4),
                *events,
                (MAIN, 120 * MS, "lock_wake", 0, 4),
                (MAIN, 120 * MS, "lock_waiter", 0, C),
                (C, 121 * MS, "lock_acquired", 0, 4),
            ]
        )
        process.stop(MAIN, 200 * MS)
    return [str(violation).partition(" (at ")[0] for violation in analysis.validate(analysis.load(path))]


GOT: list[tuple[int | str, ...]] = [(A, 90 * MS, "lock_wait", 0, 4), (A, 100 * MS, "lock_acquired", 0, 4)]
LET_GO: list[tuple[int | str, ...]] = [(A, 110 * MS, "lock_wake", 0, 4)]


def test_a_lock_that_was_never_free_is_got(tmp_path: Path) -> None:
    assert violations(tmp_path / "t", GOT) == [
        "invariant 11: a (101) gets lock 3 of nobody, and MainThread (100) has it all the while"
    ]


def test_a_lock_is_had_twice(tmp_path: Path) -> None:
    found = violations(tmp_path / "t", [*GOT, *LET_GO])
    assert found[-1] == "invariant 12: a (101) has lock 3 while MainThread (100) has it until 120000000"


@pytest.mark.parametrize(
    ("events", "patient", "kind"),
    [
        ([], 20, "object"),
        ([*GOT, *LET_GO], 5, "object"),  # c may have been unknown yet to main, who let go unseen meanwhile
        ([(MAIN, 85 * MS, "lock_wake", 0, 4), *GOT], 20, "object"),
        ([*GOT, *LET_GO], 20, "condition"),  # many may go on at once
        ([(B, 90 * MS, "lock_wait", 0, 4), (B, 100 * MS, "lock_timeout", 0, 4)], 20, "object"),
    ],
)
def test_what_is_possible_is_not_wrong(
    tmp_path: Path, events: list[tuple[int | str, ...]], patient: int, kind: str
) -> None:
    assert violations(tmp_path / "t", events, patient, kind) == []

"""Python's other locks: who waited, for what, and who let go. Exact numbers on synthetic traces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import analysis
from analysis.measures.lock_names import lock_name
from analysis.measures.stop_reasons import reason_of
from analysis.model import LockKind, LockOutcome, State
from tests.synthetic import TraceWriter


def test_waits_and_wakes(tmp_path: Path) -> None:
    """Each wait has its lock, its end, its frame, and the wake that ended it."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(pid=100)
        process.code(1, 900, "take").code(2, 900, "give")
        process.frame(1, 900, 1, 2).frame(2, 900, 2, 4)
        process.lock(1, 900, "object", 0x7F00, "_thread.lock", "Handler 7e00 Handler.acquire")
        process.lock(2, 900, "semaphore", 0x6F00, "")
        process.events(
            [
                (100, 1_000, "recording_start"),
                (100, 1_000, "gil_acquired"),
                (100, 1_200, "lock_wake", 0, 1),
                (100, 1_200, "lock_waiter", 0, 101),
                (100, 1_200, "lock_frame", 0, 2),
                (100, 1_500, "lock_wake", 0, 2),
                (100, 2_000, "gil_released"),
                (101, 1_000, "thread_start"),
                (101, 1_050, "lock_spin", 0, 40),
                (101, 1_100, "lock_wait", 0, 1),
                (101, 1_100, "lock_frame", 0, 1),
                (101, 1_210, "lock_acquired", 0, 1),
                (101, 1_300, "lock_wait", 0, 2),
                (101, 1_510, "lock_acquired", 0, 2),
                (101, 1_600, "lock_wait", 0, 2),
                (102, 1_000, "thread_start"),
                (102, 1_250, "lock_wait", 0, 2),
                (102, 1_400, "lock_timeout", 0, 2),
                (102, 1_450, "lock_spin", 0, 7),
                (102, 1_460, "lock_wait", 0, 0),
                (102, 1_470, "lock_interrupted", 0, 0),
            ]
        )
        process.stop(100, 3_000)
    trace = analysis.load(tmp_path / "t")
    waits, wakes = trace.lock_waits, trace.lock_wakes

    assert waits["start"].tolist() == [1_100, 1_300, 1_600, 1_250, 1_460]
    assert waits["duration"].tolist() == [110, 210, 1_400, 150, 10]
    assert waits["lock"].tolist() == [0, 1, 1, 1, -1]
    assert waits["outcome"].tolist() == [
        LockOutcome.ACQUIRED,
        LockOutcome.ACQUIRED,
        LockOutcome.UNFINISHED,
        LockOutcome.TIMEOUT,
        LockOutcome.INTERRUPTED,
    ]
    assert waits["spin"].tolist() == [40, 0, 0, 0, 7]
    assert waits["wake"].tolist() == [0, 1, -1, -1, -1]
    assert waits["waker"].tolist() == [0, 0, -1, -1, -1]
    assert [_function(trace, frame) for frame in waits["frame"]] == ["take", "", "", "", ""]
    assert [_function(trace, frame) for frame in waits["waker_frame"]] == ["give", "", "", "", ""]
    assert wakes["waiter"].tolist() == [1, 1]
    assert wakes["wait"].tolist() == [0, 1]
    assert trace.lock_spins["parked"].tolist() == [True, True]

    lock = trace.locks[0]
    assert (lock.kind, lock.address, lock.type) == (LockKind.OBJECT, 0x7F00, "_thread.lock")
    assert [(owner.type, owner.function) for owner in lock.owners] == [("Handler", "Handler.acquire")]
    assert analysis.validate(trace) == []


def test_what_is_let_go_may_be_taken_by_another(tmp_path: Path) -> None:
    """Of two wakes in one wait the later one ended it; the other one ended the wait of who came first."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(pid=100)
        process.lock(1, 900, "semaphore", 0x6F00, "")
        process.events(
            [
                (100, 1_000, "recording_start"),
                (100, 1_000, "gil_acquired"),
                (100, 1_200, "lock_wake", 0, 1),
                (100, 1_200, "lock_waiter", 0, 101),
                (100, 1_400, "lock_wake", 0, 1),
                (100, 1_400, "lock_waiter", 0, 101),
                (101, 1_000, "thread_start"),
                (101, 1_100, "lock_wait", 0, 1),
                (101, 1_450, "lock_acquired", 0, 1),
                (102, 1_000, "thread_start"),
                (102, 1_150, "lock_wait", 0, 1),
                (102, 1_250, "lock_acquired", 0, 1),
            ]
        )
    trace = analysis.load(tmp_path / "t")
    assert trace.lock_waits["wake"].tolist() == [1, 0]
    assert trace.lock_wakes["waiter"].tolist() == [2, 1]


def test_pauses(tmp_path: Path) -> None:
    """Stops of several threads that one lets go are one pause, with who asked for it, and when."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(pid=100)
        process.lock(1, 900, "state", 0x100, "").lock(2, 900, "state", 0x200, "")
        process.lock(3, 900, "interpreter", 0x300, "")
        process.events(
            [
                (100, 1_000, "recording_start"),
                (100, 1_100, "lock_wait", 0, 3),
                (100, 1_300, "lock_acquired", 0, 3),
                *((100, 1_500 + 10 * at, "lock_wake", 0, 1 + at) for at in range(2)),
                *((100, 2_500 + 10 * at, "lock_wake", 0, 1 + at) for at in range(1)),
                (101, 1_000, "thread_start"),
                (101, 1_150, "lock_wait", 0, 1),
                (101, 1_520, "lock_acquired", 0, 1),
                (101, 2_200, "lock_wait", 0, 1),
                (101, 2_520, "lock_acquired", 0, 1),
                (102, 1_000, "thread_start"),
                (102, 1_250, "lock_wait", 0, 2),
                (102, 1_530, "lock_acquired", 0, 2),
            ]
        )
    pauses = analysis.load(tmp_path / "t").pauses
    assert pauses["start"].tolist() == [1_150, 2_200]
    assert pauses["duration"].tolist() == [350, 300]
    assert pauses["asked"].tolist() == [1_100, 2_200]
    assert pauses["threads"].tolist() == [2, 1]
    assert pauses["stood"].tolist() == [370 + 280, 320]
    assert pauses["thread"].tolist() == [0, 0]


def test_why_the_world_was_stopped(tmp_path: Path) -> None:
    """What called the function that started the world; the stopper looked twice until all stood."""
    library = "/opt/python/lib/libpython3.13t.so"
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(pid=100)
        process.lock(1, 900, "state", 0x100, "").lock(2, 900, "interpreter", 0x300, "")
        process.name(7, 900, f"110 210 310 3f0\n{library}", "native_callers")
        process.name(8, 900, f"110 310\n{library}", "native_callers")
        events: list[tuple[int | str, ...]] = [(100, 1_000, "recording_start"), (101, 1_000, "thread_start")]
        for begin, number, between in ((1_000, 7, True), (2_000, 8, False), (3_000, 9, True)):
            if number == 7:
                events += [(100, begin + 50, "lock_wait", 0, 2), (100, begin + 90, "lock_timeout", 0, 2)]
                events += [(100, begin + 95, "lock_wait", 0, 2), (100, begin + 160, "lock_acquired", 0, 2)]
            events += [(101, begin + 100, "lock_wait", 0, 1), (101, begin + 300, "lock_acquired", 0, 1)]
            events += [(100, begin + 290, "lock_wake", 0, 1), (100, begin + 290, "lock_waiter", 0, 101)]
            events += [(100, begin + 290, "lock_frame", 0, 5)] if between else []
            events += [(100, begin + 290, "lock_callers", 0, number)]
        process.events(events).stop(100, 5_000)
        scheduler = writer.scheduler().stop(5_000)
        for at, name in (
            (0x100, "unpark"),
            (0x200, "_PyEval_StartTheWorld"),
            (0x300, "gc_collect_main.part.0"),
        ):
            scheduler.symbol(library, at, at + 0x80, name)
    trace = analysis.load(tmp_path / "t")
    pauses = trace.pauses
    assert [reason_of(trace, reason) for reason in pauses["reason"]] == ["a collection", "", ""]
    assert (pauses["asked"][0], pauses["stopped"][0]) == (1_050, 1_160)
    assert (pauses["asked"][1], pauses["stopped"][1]) == (2_100, 2_100)
    assert analysis.validate(trace) == []


@pytest.mark.parametrize(
    ("kind", "type_", "variable", "name"),
    [
        ("mutex", "dict", "is\tglobal\tcache\tdict", "the dict `cache`"),
        ("mutex", "dict", "attributes\tglobal\tstate\tCounter", "the dict of `state`, a Counter"),
        ("mutex", "dict", "attributes\tlocal\tself\tCounter", "the dict of a Counter"),
        ("mutex", "list", "is\tlocal\tshared\tlist", "the list `shared`"),
        ("mutex", "list", "", "the list itself (in Cache)"),
        ("object", "_thread.lock", "is\tglobal\tguard\t_thread.lock", "Lock of Cache"),
        ("object", "_thread.lock", "owner\tglobal\tstore\tCache", "Lock of Cache `store`"),
    ],
)
def test_a_lock_is_called_what_the_program_calls_it(
    tmp_path: Path, kind: str, type_: str, variable: str, name: str
) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        lines = ["Cache 7e00 Cache.put", *([f"\t{variable}"] if variable else [])]
        process = writer.process(pid=100).lock(1, 900, kind, 0x7F00, type_, *lines)
        process.events([(100, 1_000, "recording_start")]).stop(100, 2_000)
    (lock,) = analysis.load(tmp_path / "t").locks
    assert [owner.type for owner in lock.owners] == ["Cache"]
    assert lock_name(lock) == name


def test_a_gil_is_read_as_if_no_lock_were_there(tmp_path: Path) -> None:
    """What is between the GIL's events does not change what they say."""
    for name, between in (("with", True), ("without", False)):
        with TraceWriter(tmp_path / name) as writer:
            process = writer.process(pid=100)
            events: list[tuple[int | str, ...]] = [(100, 1_000, "recording_start")]
            for at in range(5_000):
                time = 2_000 + 100 * at
                events += [(100, time, "gil_acquired"), (100, time + 10, "gil_released")]
                if between:
                    events += [(100, time + 20, "lock_wait", 0, 0), (100, time + 80, "lock_acquired", 0, 0)]
            process.events(events)
            process.stop(100, 600_000)
    one, other = (analysis.load(tmp_path / name) for name in ("with", "without"))
    assert np.array_equal(one.gil_intervals, other.gil_intervals)
    assert len(one.lock_waits) == 5_000
    assert int(one.lock_waits["duration"].sum()) == 60 * 5_000


def test_a_part_of_a_wait(tmp_path: Path) -> None:
    """Of a part of a trace, a wait over its edge is as long as its part within."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(pid=100)
        process.lock(1, 900)
        process.events(
            [
                (100, 1_000, "recording_start"),
                (101, 1_000, "thread_start"),
                (101, 1_100, "lock_wait", 0, 1),
                (101, 1_500, "lock_acquired", 0, 1),
                (101, 1_800, "lock_wait", 0, 1),
                (101, 2_500, "lock_timeout", 0, 1),
            ]
        )
        process.stop(100, 3_000)
    part = analysis.load(tmp_path / "t").between(1_200, 2_000)
    assert part.lock_waits["start"].tolist() == [1_200, 1_800]
    assert part.lock_waits["duration"].tolist() == [300, 200]
    assert part.lock_waits["lock"].tolist() == [0, 0]


def _function(trace: analysis.Trace, frame: int) -> str:
    return trace.codes[trace.frames["code"][frame]].name if frame >= 0 else ""


def test_without_a_gil_it_is_known_what_threads_do_about_it(tmp_path: Path) -> None:
    """Nothing, from the begin on, also those that were there before; until an import switches it on."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(pid=100, without_gil=1)
        process.name(100, 1_000, "MainThread").name(100, 1_000, "python", "thread_alive")
        process.events(
            [
                (100, 1_000, "recording_start"),
                (100, 2_000, "gil_enabled"),
                (100, 2_100, "gil_acquired"),
                (100, 2_200, "gil_released"),
            ]
        ).stop(100, 3_000)
    trace = analysis.load(tmp_path / "t")
    states = [State(row["state"]) for row in trace.intervals]
    assert states == [State.RELEASED, State.HOLDING, State.RELEASED]
    assert analysis.validate(trace) == []


def test_numbers_may_be_far_apart(tmp_path: Path) -> None:
    """As those of a program that makes locks as long as it runs, of which --keep keeps the last."""
    numbers = (4_000_000_000, 7, 5, 3)
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(pid=100)
        process.lock(7, 900, "semaphore", 0x10).lock(numbers[0], 901, "semaphore", 0x20)
        events: list[tuple[int | str, ...]] = [(100, 1_000, "recording_start")]
        for at, number in enumerate(numbers):
            begin = 1_100 + 100 * at
            events += [(100, begin, "lock_wait", 0, number), (100, begin + 50, "lock_acquired", 0, number)]
        process.events(events)
    trace = analysis.load(tmp_path / "t")
    assert trace.lock_waits["lock"].tolist() == [1, 0, -1, -1]
    assert [lock.address for lock in trace.locks] == [0x10, 0x20]

"""What a statement's thread did, from traces with known times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.synthetic import TraceWriter
from tracer.releases.judgement import judge
from tracer.releases.windows import Measured, Run, measured
from tracer.releases.words import sentence

MS = 1_000_000
MAIN, STATEMENT, ASKER = 100, 101, 102
POOL = 103


def call(*runs: list[Any], number: int = 1) -> dict[str, Any]:
    padded = [[*run, 0, 0][:7] for run in runs]
    return {"name": "f()", "tid": STATEMENT, "number": number, "gil": True, "cpus": 1, "runs": padded}


def of(path: Path, *runs: list[Any], number: int = 1) -> Measured:
    (found,) = measured(path, [call(*runs, number=number)])
    return found


def written(path: Path, *, scheduler: bool = False) -> Path:
    """The statement holds the GIL 0-2, 5-6 and 6-9 ms, at 7 it is asked; it has no CPU 3-4 and 7.5-8."""
    with TraceWriter(path) as writer:
        process = writer.process(MAIN, switch_interval_ns=MS // 10)
        process.events(
            [
                (MAIN, 0, "recording_start"),
                (MAIN, 0, "gil_acquired"),
                (MAIN, 0, "gil_released"),
                (STATEMENT, 0, "gil_acquired"),
                (STATEMENT, 2 * MS, "gil_released"),
                (STATEMENT, 5 * MS, "gil_acquired"),
                (STATEMENT, 6 * MS, "gil_released"),
                (STATEMENT, 6 * MS, "gil_acquired"),
                (ASKER, 7 * MS - MS // 10, "gil_wait"),
                (ASKER, 7 * MS, "gil_timeout", 0, MS // 10),
                (STATEMENT, 9 * MS, "gil_released", 0, 2),
                (ASKER, 9 * MS, "gil_acquired"),
                (ASKER, 9 * MS + 1, "gil_released"),
            ]
        )
        process.code(1, 0, "outer", "/lib/slow.py")
        process.frame(2, 0, 1)
        process.stop(MAIN, 10 * MS)
        if scheduler:
            sched = writer.scheduler(0)
            sched.task(STATEMENT, 0, MAIN, "python")
            sched.events(0, [(0, "in", STATEMENT)])
            for away, back in ((3 * MS, 4 * MS), (7 * MS + MS // 2, 8 * MS)):
                sched.events(0, [(away, "preempted", STATEMENT), (back, "in", STATEMENT)])
            sched.events(0, [(9 * MS, "out", STATEMENT)])
            sched.stop(10 * MS)
    return path


def test_times_are_exact(tmp_path: Path) -> None:
    run = of(written(tmp_path / "t"), ["alone", 1 * MS, 8 * MS, 6 * MS, 9 * MS]).runs[0]
    assert (run.wall, run.held, run.waited, run.without, run.ready) == (7 * MS, 4 * MS, 0, 3 * MS, 0)
    assert (run.longest, run.released) == (2 * MS, 2)
    assert (run.native, run.asleep, run.elsewhere) == (2 * MS, 1 * MS, 3 * MS)
    assert run.share == pytest.approx(4 / 7)


def test_what_it_waited_for_a_cpu_counts_nowhere(tmp_path: Path) -> None:
    run = of(written(tmp_path / "t", scheduler=True), ["asked", 1 * MS, 10 * MS, 6 * MS, 6 * MS]).runs[0]
    assert run.ready == MS + MS // 2
    assert (run.held, run.without) == (5 * MS - MS // 2, 3 * MS)
    assert run.overdue == 2 * MS - MS // 2
    assert run.function == ("/lib/slow.py", "outer")


def test_what_others_may_have_delayed_is_bounded(tmp_path: Path) -> None:
    """It sleeps 3-9 ms while a worker computes for it, which has no CPU 4-7 ms; it had none 1.0-1.5 ms."""
    path, worker = tmp_path / "t", 103
    with TraceWriter(path) as writer:
        process = writer.process(MAIN)
        process.events(
            [
                (MAIN, 0, "recording_start"),
                (MAIN, 0, "gil_acquired"),
                (MAIN, 0, "gil_released"),
                (STATEMENT, 0, "gil_acquired"),
                (STATEMENT, 2 * MS, "gil_released"),
                (STATEMENT, 9 * MS, "gil_acquired"),
                (STATEMENT, 10 * MS, "gil_released"),
            ]
        )
        process.stop(MAIN, 11 * MS)
        sched = writer.scheduler(0)
        for tid in (STATEMENT, worker):
            sched.task(tid, 0, MAIN, "python")
        half = MS // 2
        events = [(0, "in", STATEMENT), (MS, "preempted", STATEMENT), (MS + half, "in", STATEMENT)]
        events += [(3 * MS, "out", STATEMENT), (3 * MS, "in", worker), (4 * MS, "preempted", worker)]
        events += [(7 * MS, "in", worker), (9 * MS, "out", worker), (9 * MS, "in", STATEMENT)]
        sched.events(0, events)
        sched.events(0, [(10 * MS, "out", STATEMENT)])
        sched.stop(11 * MS)
    run = of(path, ["alone", 0, 10 * MS, 3 * MS + half, 5 * MS + half]).runs[0]
    assert (run.held, run.without, run.ready) == (2 * MS + half, 7 * MS, half)
    # The worker's 3 ms, and the sleep may have ended late; but its 3 ms of work it would have done anyway.
    assert (run.delayed, run.held_delayed, run.unplaced) == (3 * MS, 0, 0)
    assert run.bounds == pytest.approx((2.5 / 9.5, 2.5 / 6.5))


Spells = tuple[tuple[int, int, bool], ...]
"""When a thread had a CPU, ms, and whether it was preempted at the end."""


def beside(path: Path, *workers: Spells, cpus: int, without: bool = True) -> Run:
    """It sleeps 2-20 ms, without the GIL or with it, while workers compute for it."""
    with TraceWriter(path) as writer:
        process = writer.process(MAIN)
        begin, end = (2, 20) if without else (20, 20.5)
        process.events(
            [
                (MAIN, 0, "recording_start"),
                (MAIN, 0, "gil_acquired"),
                (MAIN, 0, "gil_released"),
                (STATEMENT, 0, "gil_acquired"),
                (STATEMENT, int(begin * MS), "gil_released"),
                (STATEMENT, int(end * MS), "gil_acquired"),
                (STATEMENT, 21 * MS, "gil_released"),
            ]
        )
        process.stop(MAIN, 30 * MS)
        sched = writer.scheduler(0)
        sched.task(STATEMENT, 0, MAIN, "python")
        sched.events(0, [(0, "in", STATEMENT), (2 * MS, "out", STATEMENT)])
        sched.events(0, [(20 * MS, "in", STATEMENT), (21 * MS, "out", STATEMENT)])
        for tid, spells in enumerate(workers, POOL):
            sched.task(tid, 0, MAIN, "worker")
            for at, until, preempted in spells:
                ends = "preempted" if preempted else "out"
                sched.events(tid, [(at * MS, "in", tid), (until * MS, ends, tid)])
        sched.stop(30 * MS)
    (found,) = measured(path, [{**call(["alone", 0, 21 * MS, 3 * MS, 40 * MS]), "cpus": cpus}])
    return found.runs[0]


@pytest.mark.parametrize(
    ("workers", "cpus", "delayed"),
    [
        # One computes all the time: that it would on any machine, whoever waits beside it.
        ((((2, 20, False),), ((2, 10, True), (19, 20, False))), 2, 0),
        # A pool of three has both CPUs all the time: its 36 ms take 18 on them, though one always waits.
        ((((2, 8, True), (14, 20, False)), ((2, 14, True), (20, 21, False)), ((8, 20, False),)), 2, 0),
        # The same on four CPUs: somebody has the others, but the longest work of one thread is 12 ms.
        ((((2, 8, True), (14, 20, False)), ((2, 14, True), (20, 21, False)), ((8, 20, False),)), 4, 6),
        # Somebody keeps one off for a millisecond, and may have done so when two were woken up.
        ((((2, 10, True), (11, 12, False)),), 2, 3),
        # Nobody is ever kept off, and nothing is known against a sleep that nobody computes in.
        ((((2, 3, False),),), 2, 0),
    ],
)
def test_a_pool_that_waits_for_itself_is_not_kept_off(
    tmp_path: Path, workers: tuple[Spells, ...], cpus: int, delayed: int
) -> None:
    run = beside(tmp_path / "t", *workers, cpus=cpus)
    assert (run.held, run.without, run.delayed) == (3 * MS, 18 * MS, delayed * MS)
    assert run.bounds == pytest.approx((3 / 21, 3 / (21 - delayed)))


def test_one_that_spins_while_its_worker_is_kept_off_is_delayed(tmp_path: Path) -> None:
    """It computes without the GIL 2-9 ms, and its worker has no CPU 4-7, with two CPUs."""
    path = tmp_path / "t"
    with TraceWriter(path) as writer:
        process = writer.process(MAIN)
        events = [(MAIN, 0, "recording_start"), (MAIN, 0, "gil_acquired"), (MAIN, 0, "gil_released")]
        for time, kind in (
            (0, "gil_acquired"),
            (2, "gil_released"),
            (9, "gil_acquired"),
            (10, "gil_released"),
        ):
            events.append((STATEMENT, time * MS, kind))
        process.events(events)
        process.stop(MAIN, 12 * MS)
        sched = writer.scheduler(0)
        for tid in (STATEMENT, POOL):
            sched.task(tid, 0, MAIN, "python")
        sched.events(0, [(0, "in", STATEMENT), (10 * MS, "out", STATEMENT)])
        sched.events(1, [(2 * MS, "in", POOL), (4 * MS, "preempted", POOL)])
        sched.events(1, [(7 * MS, "in", POOL), (9 * MS, "out", POOL)])
        sched.stop(12 * MS)
    (found,) = measured(path, [{**call(["alone", 0, 10 * MS, 10 * MS, 14 * MS]), "cpus": 2}])
    assert (found.runs[0].native, found.runs[0].delayed) == (7 * MS, 3 * MS)


def test_a_hold_behind_others_may_be_too_long(tmp_path: Path) -> None:
    run = beside(tmp_path / "t", ((2, 10, True), (11, 12, False)), cpus=2, without=False)
    assert (run.held, run.without, run.held_delayed) == (20.5 * MS, 0.5 * MS, 3 * MS)
    assert run.bounds == pytest.approx((17.5 / 18, 20.5 / 21))


def test_a_cpu_that_was_taken_unseen_is_placed_nowhere(tmp_path: Path) -> None:
    """No scheduler is recorded, and the thread has 5 ms on its clock of the 7 ms that are its own."""
    run = of(written(tmp_path / "t"), ["alone", 1 * MS, 8 * MS, 5 * MS, 5 * MS, 30, 1]).runs[0]
    assert (run.pages, run.unplaced) == (30, 2 * MS)
    assert run.bounds == pytest.approx((2 / 5, 4 / 5))
    quiet = of(written(tmp_path / "u"), ["alone", 1 * MS, 8 * MS, 5 * MS, 5 * MS]).runs[0]
    assert quiet.bounds == (quiet.share, quiet.share)


def test_a_process_without_a_gil_has_no_share() -> None:
    runs = [
        ["first", 0, 9, 9, 9],
        ["alone", 10, 20, 8, 8],
        ["single", 30, 40, 9, 9],
        ["together", 40, 60, 9, 18],
    ]
    (found,) = measured(None, [{**call(*runs), "gil": False}])
    judgement = judge(found)
    assert (judgement.verdict, judgement.together) == ("no GIL", 2.0)
    (found,) = measured(None, [{**call(*runs[:-1], ["together", 40, 60, 9, 10]), "gil": False}])
    assert judge(found).together == 0  # the other one had no CPU meanwhile
    assert "two threads at once could not be seen." in sentence(judge(found))

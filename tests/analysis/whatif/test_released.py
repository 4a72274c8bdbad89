"""What if a function let go of the GIL: portions of holds, exact on synthetic traces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

import analysis
from analysis.whatif.kinds import BLOCKED, NATIVE, PYTHON
from analysis.whatif.parts import Stretches, firsts, without_gil_in
from analysis.whatif.program import Program, make_program
from analysis.whatif.released import portions_in
from analysis.whatif.replay import Scenario, replay
from tests.synthetic import ProcessWriter, TraceWriter

MS = 1_000_000
PARSE, LOG, INNER = 1, 2, 3


def frames(process: ProcessWriter) -> ProcessWriter:
    process.code(1, 0, "parse", "app.py", 1).code(2, 0, "log", "app.py", 10).code(3, 0, "inner", "lib.py", 1)
    return process.frame(PARSE, 0, 1, 4).frame(LOG, 0, 2, 4).frame(INNER, 0, 3, 2, PARSE)


def steps(program: Program, thread: int) -> list[tuple[int, int]]:
    mine = slice(int(program.first[thread]), int(program.first[thread + 1]))
    return list(zip(program.kind[mine].tolist(), program.amount[mine].tolist(), strict=True))


def two_threads(path: Path, *, asleep: bool = False) -> analysis.Trace:
    """Two threads hold in turn, 10 ms each, four times: 8 ms of parse() and what it calls, 2 ms of log()."""
    with TraceWriter(path) as writer:
        process = frames(writer.process(cpus=4))
        process.name(101, 0, "other", "thread_alive")
        process.events([(100, 0, "recording_start"), (101, 0, "gil_wait")])
        now, held, waits = 0, 100, 101
        for _ in range(4):
            process.events([(held, now, "gil_acquired"), (held, now + 10 * MS, "gil_released", 0, LOG)])
            ran = [PARSE, INNER, INNER, PARSE, LOG]
            process.samples([(held, now + MS + 2 * MS * at, frame) for at, frame in enumerate(ran)])
            now += 10 * MS
            if now < 30 * MS:
                process.events([(held, now, "gil_wait")])
            held, waits = waits, held
        process.stop(100, now)
        if asleep:
            sched = writer.scheduler(0).task(100, 0, 100, "python").task(101, 0, 100, "python")
            sched.events(
                0, [(0, "in", 100), (2 * MS, "out", 100), (6 * MS, "in", 100), (40 * MS, "out", 100)]
            )
            sched.events(1, [(0, "in", 101), (40 * MS, "out", 101)])
            sched.stop(40 * MS)
    return analysis.load(path)


def test_only_the_portion_inside_a_hold_is_released(tmp_path: Path) -> None:
    trace = two_threads(tmp_path / "t.trace")
    portions = portions_in(trace, ("app.parse",))
    assert portions.total == 4 * 8 * MS
    assert (portions.end - portions.begin).tolist() == [8 * MS] * 4
    assert portions_in(trace, ("log",)).total == 4 * 2 * MS
    assert portions_in(trace, ("lib.inner",)).total == 4 * 4 * MS
    assert portions_in(trace, ("log", "parse")).total == 40 * MS
    program = make_program(trace, portions=portions)
    assert steps(program, 0) == [(NATIVE, 8 * MS), (PYTHON, 2 * MS)] * 2
    # Both compute at once, and queue for log() only.
    wall = replay(program, Scenario()).wall
    assert 20 * MS < wall < 26 * MS
    (_, figures) = analysis.what_if(trace, Scenario(release=("app.parse",))).predictions[0]
    assert figures.wall == wall
    (_, whole) = analysis.what_if(trace, Scenario(release=("parse", "log"))).predictions[0]
    assert whole.wait.count == 0
    assert whole.wall == 20 * MS


def test_a_sleep_in_what_is_released_needs_no_cpu(tmp_path: Path) -> None:
    trace = two_threads(tmp_path / "t.trace", asleep=True)
    program = make_program(trace, portions=portions_in(trace, ("app.parse",)))
    assert steps(program, 0)[:4] == [(NATIVE, 2 * MS), (BLOCKED, 4 * MS), (NATIVE, 2 * MS), (PYTHON, 2 * MS)]
    log = make_program(trace, portions=portions_in(trace, ("log",)))
    assert steps(log, 0)[:2] == [(PYTHON, 8 * MS), (NATIVE, 2 * MS)], "a sleep with the GIL stays one"


def test_short_holds_are_cut_by_the_share_of_those_that_ended_alike(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.trace") as writer:
        process = frames(writer.process())
        for at in range(40):
            begin = 2 * MS * at
            process.events([(100, begin, "gil_acquired"), (101, begin, "gil_wait")])
            process.events([(100, begin + MS, "gil_released", 0, LOG)])
            process.events([(101, begin + MS, "gil_acquired"), (101, begin + MS + 10, "gil_released")])
        early, late = MS // 4, 3 * MS // 4
        process.samples([(100, 2 * MS * at + early, PARSE) for at in range(0, 24, 2)])
        process.samples([(100, 2 * MS * at + late, LOG) for at in range(24, 32, 2)])
    trace = analysis.load(tmp_path / "t.trace")
    parse, log = portions_in(trace, ("parse",)), portions_in(trace, ("log",))
    # 12 of 16 samples: three quarters of each hold, the part at its begin.
    assert (parse.end - parse.begin).tolist() == [3 * MS // 4] * 40
    assert (parse.begin % (2 * MS) == 0).all()
    assert (log.end % (2 * MS) == MS).all()
    assert parse.total + log.total == 40 * MS
    assert portions_in(trace, ("inner",)).total == 0


def step(amount: int, posts: list[int], calls: list[tuple[int, int]]) -> Program:
    """One step of one thread, with the GIL."""
    numbers = np.array
    plain = make_program.__globals__["_NONE"]
    return Program(
        first=numbers([0, 1]),
        kind=numbers([PYTHON]),
        gil=numbers([0]),
        amount=numbers([amount]),
        post_first=numbers([0, len(posts)]),
        post_at=numbers(posts, np.int64),
        post_event=np.arange(len(posts)),
        post_delay=np.zeros(len(posts), np.int64),
        call_first=numbers([0, len(calls)]),
        call_begin=numbers([begin for begin, _ in calls], np.int64),
        call_end=numbers([end for _, end in calls], np.int64),
        pools=None,  # type: ignore[arg-type]  # not looked at
        interval=plain,
        essential=numbers([1]),
        cpus=1,
    )


def stretches(*spans: tuple[int, int]) -> Stretches:
    begin, end = (np.array([span[at] for span in spans], np.int64) for at in (0, 1))
    return Stretches(np.zeros(len(spans), np.int64), begin, end)


def test_posts_and_calls_move_with_the_work() -> None:
    program = step(100, [0, 30, 45, 99], [(10, 25), (35, 70), (41, 49), (90, 100)])
    cut = without_gil_in(program, stretches((20, 40), (40, 60)), stretches((40, 50), (70, 80)))
    assert steps(cut, 0) == [(PYTHON, 20), (NATIVE, 20), (BLOCKED, 10), (NATIVE, 10), (PYTHON, 40)]
    assert cut.gil.tolist() == [0, -1, -1, -1, 0]
    assert cut.post_first.tolist() == [0, 1, 3, 3, 3, 4]
    assert cut.post_at.tolist() == [0, 10, 20, 39]  # what was posted in a sleep is posted before it
    assert cut.call_first.tolist() == [0, 1, 1, 1, 1, 3]
    assert cut.call_begin.tolist() == [10, 0, 30]
    assert cut.call_end.tolist() == [20, 10, 40]


def test_what_is_not_released_stays_as_it_is() -> None:
    program = step(100, [30], [(10, 25)])
    assert without_gil_in(program, stretches(), stretches((10, 20))) is program
    whole = without_gil_in(program, stretches((0, 100)), stretches())
    assert steps(whole, 0) == [(NATIVE, 100)]
    assert whole.post_at.tolist() == [30]
    assert whole.call_begin.tolist() == []
    asleep = without_gil_in(replace(program, call_first=firsts(np.zeros(1, np.int64), 1)),
                            stretches((0, 100)), stretches((0, 50)))  # fmt: skip
    assert steps(asleep, 0) == [(BLOCKED, 50), (NATIVE, 50)]
    assert asleep.post_first.tolist() == [0, 0, 1]

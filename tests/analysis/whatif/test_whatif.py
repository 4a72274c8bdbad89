"""What if: recordings of known programs, replayed."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given, settings

import analysis
from analysis.__main__ import main
from analysis.whatif.code import NoSuchFunction, holds_of_threads, waits_for_threads
from analysis.whatif.kinds import AWAIT, BLOCKED, NATIVE, PYTHON
from analysis.whatif.program import Program, make_program
from analysis.whatif.recording import Recording
from analysis.whatif.released import portions_in
from analysis.whatif.replay import Scenario, replay
from tests.analysis.schedules import Schedule, schedules
from tests.synthetic import TraceWriter

MS = 1_000_000


def steps(program: Program, thread: int) -> list[tuple[int, int]]:
    mine = slice(int(program.first[thread]), int(program.first[thread + 1]))
    return list(zip(program.kind[mine].tolist(), program.amount[mine].tolist(), strict=True))


def two_that_compute(path: Path, frames: bool = False) -> Path:
    """Two threads, 12 ms of work each, an interval of 5 ms, handoffs of 30 µs; main only waits for them.

    100 starts 101 and 102 at 1 ms and 2 ms, and joins them.
    """
    arg = (7,) if frames else ()
    gil = (0,) if frames else ()
    events: list[tuple[int | str, ...]] = [
        (100, 0, "recording_start"),
        (100, 0, "gil_acquired"),
        (100, MS, "gil_released"),
        (101, MS, "gil_acquired"),
    ]
    held, waiting = 101, 102
    now = MS
    events.append((102, now + 1000, "gil_wait"))
    left = {101: 12 * MS, 102: 12 * MS}
    asked = now + 1000
    while left[held] + left[waiting] > 0:
        turn = min(asked + 5 * MS - now, left[held]) if left[waiting] else left[held]
        forced = turn < left[held]
        if forced:
            events.append((waiting, now + turn, "gil_timeout"))
        left[held] -= turn
        now += turn
        events.append((held, now, "gil_released", *gil, *arg))
        if not forced:
            events.append((held, now + 100, "thread_exit"))
        if left[waiting]:
            if forced:
                events.append((held, now, "gil_drop_requested"))
                events.append((held, now + 30_000 + 1000, "gil_wait"))
            now += 30_000
            events.append((waiting, now, "gil_acquired", *gil, *arg))
            asked = now + 1000
            held, waiting = waiting, held
    events += [(100, now + 200, "gil_acquired")]
    with TraceWriter(path) as writer:
        process = writer.process(100, argv=["app.py"], switch_interval_ns=5 * MS, cpus=4)
        if frames:
            process.code(1, 0, "work", "/home/me/app/jobs.py", 10).frame(7, 0, 1)
        process.events(events).name(101, MS, "first").name(102, MS, "second")
        process.stop(100, now + MS)
    return path


def test_program_of_two_that_compute(tmp_path: Path) -> None:
    """Forced drops split nothing; the starts and the join are wake-ups."""
    trace = analysis.load(two_that_compute(tmp_path / "t"))
    program = make_program(trace)
    assert [kind for kind, _ in steps(program, 0)] == [PYTHON, AWAIT, PYTHON]
    assert steps(program, 1)[-1] == (PYTHON, 12 * MS)
    assert steps(program, 2)[-1] == (PYTHON, 12 * MS)
    assert program.cpus == 4
    assert program.pools.in_calls.tolist() == [False] * 3


def test_what_if_of_two_that_compute(tmp_path: Path) -> None:
    trace = analysis.load(two_that_compute(tmp_path / "t"))
    result = analysis.what_if(trace, Scenario(interval=MS), Scenario(gil=False), Scenario(gil=False, cpus=1))
    assert abs(result.error) < 0.01
    assert result.replayed.wait.count == result.recorded.wait.count
    assert abs(result.replayed.wait.total - result.recorded.wait.total) < 0.01 * result.recorded.wait.total
    (_, fine), (_, free), (_, alone) = result.predictions
    assert fine.switches > 3 * result.recorded.switches
    assert fine.wait.p50 < result.recorded.wait.p50 / 3
    assert free.wait.count == 0
    assert abs(free.wall - 14 * MS) < 0.1 * MS
    assert abs(alone.wall - result.recorded.wall) < 0.2 * MS


def test_release_by_function_and_by_thread(tmp_path: Path) -> None:
    trace = analysis.load(two_that_compute(tmp_path / "t", frames=True))
    for name in ("jobs.work", "app.jobs.work", "me.app.jobs.work"):
        assert portions_in(trace, (name,)).total == 24 * MS
    by_function, by_thread = (
        analysis.what_if(trace, scenario).predictions[0][1]
        for scenario in (Scenario(release=("jobs.work",)), Scenario(release_threads=("first", "second")))
    )
    assert by_function.wait.count == 0
    assert by_function.wall == by_thread.wall
    assert abs(by_function.wall - 14 * MS) < 0.1 * MS
    one = analysis.what_if(trace, Scenario(release_threads=("first",))).predictions[0][1]
    assert one.wait.count == 0


def test_what_is_not_there(tmp_path: Path) -> None:
    trace = analysis.load(two_that_compute(tmp_path / "t", frames=True))
    with pytest.raises(NoSuchFunction, match=r"no function 'job.wrok' .*the closest are jobs\.work"):
        portions_in(trace, ("job.wrok",))
    with pytest.raises(NoSuchFunction, match=r"no thread 'frist' .*the closest are first"):
        holds_of_threads(Recording(trace), ("frist",))
    without = analysis.load(two_that_compute(tmp_path / "u"))
    with pytest.raises(NoSuchFunction, match="no Python frames"):
        portions_in(without, ("jobs.work",))


def convoy(path: Path, pause: int = 2 * MS, requests: int = 30, file: str = "") -> Path:
    """100 computes; 101 sleeps, asks, waits an interval, and holds for 20 µs, again and again.

    `file` is where the code is that it goes on with.
    """
    frame = (0, 7) if file else ()
    events: list[tuple[int | str, ...]] = [(100, 0, "recording_start"), (100, 0, "gil_acquired")]
    now = 0
    for number in range(requests):
        asks = now + pause
        events += [(101, asks, "gil_wait"), (101, asks + 5 * MS, "gil_timeout")]
        events += [(100, asks + 5 * MS, "gil_released"), (100, asks + 5 * MS, "gil_drop_requested")]
        taken = asks + 5 * MS + 30_000
        events += [(101, taken, "gil_acquired", *frame), (100, taken + 5_000, "gil_wait")]
        events += [(101, taken + 20_000, "gil_released"), (100, taken + 50_000, "gil_acquired")]
        now = taken + 20_000
        assert number < requests
    events += [(101, now + 1000, "thread_exit"), (100, now + 10 * MS, "gil_released")]
    with TraceWriter(path) as writer:
        process = writer.process(100, switch_interval_ns=5 * MS).name(101, 0, "io", "thread_alive")
        if file:
            process.code(1, 0, "wait", file).frame(7, 0, 1)
        process.events(events).stop(100, now + 11 * MS)
    return path


def test_convoy(tmp_path: Path) -> None:
    """Sleeps stay sleeps, though they all end in a hold; the waits shrink with the interval."""
    trace = analysis.load(convoy(tmp_path / "t"))
    program = make_program(trace)
    assert AWAIT not in program.kind
    assert np.median(program.amount[program.kind == BLOCKED]) == 2 * MS
    result = analysis.what_if(trace, Scenario(interval=MS))
    assert abs(result.error) < 0.01
    assert abs(result.replayed.wait.p50 / result.recorded.wait.p50 - 1) < 0.01
    [(_, fine)] = result.predictions
    assert fine.finished[1] < 0.5 * result.recorded.finished[1]
    assert abs(fine.finished[1] - 30 * (2 * MS + MS + 50_000)) < MS


def test_stacks_say_what_was_waited_for(tmp_path: Path) -> None:
    waits, sleeps = (
        make_program(trace, None, waits_for_threads(Recording(trace))).kind.tolist()
        for trace in (
            analysis.load(convoy(tmp_path / "t", file="/usr/lib/python3.11/threading.py")),
            analysis.load(convoy(tmp_path / "u", file="/usr/lib/python3.11/ssl.py")),
        )
    )
    assert (waits.count(AWAIT), waits.count(BLOCKED)) == (30, 0)
    assert (sleeps.count(AWAIT), sleeps.count(BLOCKED)) == (0, 30)
    own = analysis.what_if(analysis.load(tmp_path / "t"))
    assert abs(own.error) < 0.01


def test_two_processes(tmp_path: Path) -> None:
    """Each has its GIL; they share the CPUs."""
    with TraceWriter(tmp_path / "t") as writer:
        for pid in (100, 200):
            process = writer.process(pid, cpus=2)
            process.events(
                [(pid, 0, "recording_start"), (pid, 0, "gil_acquired"), (pid, 8 * MS, "gil_released")]
            )
            process.stop(pid, 8 * MS)
    trace = analysis.load(tmp_path / "t")
    result = analysis.what_if(trace, Scenario(cpus=1))
    assert result.replayed.wall == 8 * MS
    assert result.predictions[0][1].wall == 16 * MS


@settings(max_examples=60, deadline=None)
@given(schedules())
def test_any_valid_recording_can_be_replayed(schedule: Schedule) -> None:
    assume(schedule.events)
    stop = int(schedule.events[0][0]) - 100 not in schedule.gone
    with tempfile.TemporaryDirectory() as directory:
        trace = analysis.load(schedule.finish(Path(directory) / "t", stop=stop))
    program = make_program(trace)
    assert program.amount[program.kind == PYTHON].sum() == sum(
        int((trace.holds(gil).released - trace.holds(gil).acquired).sum()) for gil in trace.gils
    )
    for scenario in (Scenario(), Scenario(interval=100), Scenario(gil=False), Scenario(cpus=1)):
        run = replay(program, scenario, holds=True)
        assert (run.finished[program.essential == 1] >= 0).all()
        for gil in range(len(trace.gils)):
            mine = np.sort(run.holds[run.holds["gil"] == gil], order=["start", "duration"])
            assert (mine["start"][1:] >= (mine["start"] + mine["duration"])[:-1]).all()


def test_lock_handed_over(tmp_path: Path) -> None:
    """101 gets a lock that 100 releases in the middle of each hold, and not a fixed time after it asked."""
    events: list[tuple[int | str, ...]] = [(100, 0, "recording_start")]
    random = np.random.default_rng(1)
    now = 1000
    for pause in random.integers(MS, 30 * MS, 40).tolist():
        begins = now + pause
        events += [(100, begins, "gil_acquired"), (101, begins + MS, "gil_wait")]
        events += [(100, begins + 2 * MS, "gil_released"), (101, begins + 2 * MS + 40_000, "gil_acquired")]
        now = begins + 2 * MS + 500_000
        events += [(101, now, "gil_released")]
    with TraceWriter(tmp_path / "t") as writer:
        writer.process(100).name(101, 0, "other", "thread_alive").events(events).stop(100, now + 1000)
    trace = analysis.load(tmp_path / "t")
    program = make_program(trace)
    assert [kind for kind, _ in steps(program, 1)].count(AWAIT) == 40
    assert set(program.post_at.tolist()) == {MS}
    assert abs(analysis.what_if(trace).error) < 0.001


def test_c_calls(tmp_path: Path) -> None:
    """A request that is answered 3 ms late shows a call: 3 ms before it to 3 ms after it."""
    path = convoy(tmp_path / "t", requests=3)
    assert len(make_program(analysis.load(path)).call_begin) == 0
    with TraceWriter(tmp_path / "u") as writer:
        process = writer.process(100, switch_interval_ns=5 * MS).name(101, 0, "io", "thread_alive")
        turns = [(0, 5 * MS), (20 * MS, 5 * MS), (40 * MS, 8 * MS), (60 * MS, 5 * MS)]
        process.events([(100, 0, "recording_start"), (100, 0, "gil_acquired")])
        for begin, late in turns:
            asks, drops = begin + MS, begin + MS + late
            process.events(
                [
                    (101, asks, "gil_wait"),
                    (101, asks + 5 * MS, "gil_timeout"),
                    (100, drops, "gil_released"),
                    (100, drops, "gil_drop_requested"),
                    (101, drops + 10, "gil_acquired"),
                    (100, drops + 20, "gil_wait"),
                    (101, drops + 30, "gil_released"),
                    (100, drops + 40, "gil_acquired"),
                ]
            )
        process.stop(100, 90 * MS)
    program = make_program(analysis.load(tmp_path / "u"))
    [begin], [end] = program.call_begin.tolist(), program.call_end.tolist()
    assert end - begin == 6 * MS
    assert end == 49 * MS - 80


def test_scheduling(tmp_path: Path) -> None:
    """Work without the GIL is told from waiting, and a hold without a CPU that others had is no work."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100).name(101, 0, "other", "thread_alive")
        process.events(
            [(100, 0, "recording_start"), (100, 0, "gil_acquired"), (100, 50 * MS, "gil_released")]
        )
        process.events([(100, 90 * MS, "gil_acquired"), (100, 95 * MS, "gil_released")])
        process.events([(101, 0, "gil_wait"), (101, 51 * MS, "gil_acquired"), (101, 52 * MS, "gil_released")])
        process.stop(100, 100 * MS)
        sched = writer.scheduler(0).task(100, 0, 100, "python").task(101, 0, 100, "python")
        sched.events(
            0,
            [
                (0, "in", 100),
                (20 * MS, "preempted", 100),
                (20 * MS, "in", 101),
                (30 * MS, "out", 101),
                (30 * MS, "in", 100),
                (60 * MS, "out", 100),
                (90 * MS, "in", 100),
            ],
        )
        sched.stop(100 * MS)
    trace = analysis.load(tmp_path / "t")
    program = make_program(trace)
    assert steps(program, 0) == [
        (PYTHON, 40 * MS),
        (NATIVE, 10 * MS),
        (BLOCKED, 30 * MS),
        (PYTHON, 5 * MS),
        (NATIVE, 5 * MS),
    ]
    assert program.cpus == 1


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)), min_size=1, max_size=8),
        min_size=1,
        max_size=4,
    )
)
def test_own_configuration_of_an_obvious_simulation(threads: list[list[tuple[int, int]]]) -> None:
    """Threads that block and hold in turn, first come, first served: the replay repeats it exactly."""
    asks = [(cycles[0][0], number, 0) for number, cycles in enumerate(threads)]
    free, events, waited = 0, [], []
    times = [time for time, *_ in asks]
    while asks:
        time, number, at = min(asks)
        asks.remove((time, number, at))
        begin = max(time, free)
        if begin > time:
            events.append((100 + number, time, "gil_wait"))
            waited.append((number, begin - time))
        free = begin + threads[number][at][1]
        times += [free]
        events += [(100 + number, begin, "gil_acquired"), (100 + number, free, "gil_released")]
        if at + 1 < len(threads[number]):
            asks.append((free + threads[number][at + 1][0], number, at + 1))
            times.append(asks[-1][0])
    assume(len(set(times)) == len(times))  # who is first of two at one time is not defined
    with tempfile.TemporaryDirectory() as directory, TraceWriter(Path(directory) / "t") as writer:
        process = writer.process(100, begin=0)
        for number in range(len(threads)):
            process.name(100 + number, 0, f"thread {number}", "thread_alive")
        process.events([(100, 0, "recording_start"), *sorted(events, key=lambda event: event[1])]).stop(
            100, free
        )
        writer.close()
        trace = analysis.load(Path(directory) / "t")
    run = replay(make_program(trace))
    number_of = [thread.tid - 100 for thread in trace.threads]
    found = [(number_of[row["thread"]], int(row["duration"])) for row in run.waits]
    assert sorted(waited) == sorted(found)
    assert run.wall == free


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(two_that_compute(tmp_path / "t"))
    assert main(["whatif", path, "--interval", "0.001", "--interval", "100us"]) == 0
    out = capsys.readouterr().out
    assert "interval 1.00 ms" in out
    assert "interval 100 µs" in out
    assert "leaves out" in out
    assert "The scheduler was not recorded" in out
    assert main(["whatif", path, "--interval", "100us", "--cpus", "3", "--release-thread", "second"]) == 0
    assert "…" not in capsys.readouterr().out  # a scenario's words are whole, however many
    assert main(["whatif", path, "--no-gil", "--slowdown", "1.5", "--cpus", "2", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["predictions"][0]["scenario"]["slowdown"] == 1.5
    assert result["predictions"][0]["wait_ns"]["count"] == 0
    assert result["recorded"]["wall_ns"] == analysis.load(path).end - analysis.load(path).begin
    assert {thread["name"] for thread in result["replayed"]["threads"]} == {"MainThread", "first", "second"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--interval", "1ms", "--no-gil"], "nothing to switch"),
        (["--slowdown", "2"], "goes with no GIL"),
        (["--cpus", "0"], "at least 1"),
        (["--release-thread", "nobody"], "no thread 'nobody'"),
        (["--release-gil", "a.b"], "no Python frames"),
        (["--interval", "0"], "must be more than 0"),
    ],
)
def test_command_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    path = str(two_that_compute(tmp_path / "t"))
    assert main(["whatif", path, *options]) == 2
    assert message in capsys.readouterr().err


def test_nothing_to_replay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a GIL, without events, without threads that wait."""
    with TraceWriter(tmp_path / "t") as writer:
        writer.process(100).events([(100, 0, "recording_start")]).stop(100, 10)
    assert main(["whatif", str(tmp_path / "t"), "--interval", "1ms"]) == 0
    with TraceWriter(tmp_path / "u") as writer:
        sched = writer.scheduler(0)
        sched.events(0, [(0, "in", 7), (50, "out", 7)]).task(7, 0, 7, "sh").exit(7, 90).stop(90)
    assert main(["whatif", str(tmp_path / "u"), "--cpus", "1"]) == 0
    assert "off by" in capsys.readouterr().out

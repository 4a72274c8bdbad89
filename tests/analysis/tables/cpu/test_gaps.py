"""What the scheduler did not tell is unknown: lost records, streams that are not there, contradictions."""

import io
from pathlib import Path

import pytest
from rich.console import Console

import analysis
from analysis import State, TraceFormatError
from analysis.report.terminal import print_summary
from analysis.states import Cpu
from tests.analysis.fold.recordings import record
from tests.analysis.scenes import one_thread, scheduled
from tests.analysis.tables.cpu.stretches import lone, of, tiles
from tests.synthetic import SchedWriter, TraceWriter

R, N, B, A = State.RUNNING, State.NATIVE, State.BLOCKED, State.HOLDING_ASLEEP


def test_lost_records_are_unknown(tmp_path: Path) -> None:
    """From the event before the loss up to it, whoever was on this CPU may have left it."""
    trace = lone(tmp_path / "t", [(0, "in", 100), (200, "lost", 3), (320, "out", 100)])
    assert of(trace, 0) == [
        (0, 100, State.HOLDING, -1),
        (100, 150, State.RELEASED, -1),
        (150, 200, State.HOLDING, -1),
        (200, 250, R, 0),
        (250, 300, N, 0),
        (300, 320, R, 0),
        (320, 400, A, -1),
        (400, 450, B, -1),
    ]
    assert trace.scheduling is not None
    assert trace.scheduling.lost == 3


def test_lost_between_out_and_in(tmp_path: Path) -> None:
    """It may have been on the CPU meanwhile; why it is not when the loss is over nobody saw."""
    trace = lone(
        tmp_path / "t", [(0, "in", 100), (20, "out", 100), (40, "in", 7), (60, "lost", 1), (80, "in", 100)]
    )
    assert of(trace, 0)[:4] == [(0, 20, R, 0), (20, 40, A, -1), (40, 80, State.HOLDING, -1), (80, 100, R, 0)]


def test_lost_elsewhere(tmp_path: Path) -> None:
    """A thread that is on a CPU of which everything is known can't have been on the other one."""
    trace = lone(
        tmp_path / "t", [(0, "in", 100), (400, "out", 100)], cpus={1: [(50, "in", 8), (420, "lost", 9)]}
    )
    assert of(trace, 0) == [
        (0, 100, R, 0),
        (100, 150, N, 0),
        (150, 250, R, 0),
        (250, 300, N, 0),
        (300, 400, R, 0),
        (400, 450, State.RELEASED, -1),
    ]


def test_nothing_known_before_and_after(tmp_path: Path) -> None:
    """The recorder of the scheduler was killed: behind a thread's last event anything may have happened."""
    trace = lone(tmp_path / "t", [(0, "in", 100), (120, "out", 100)], stop=None)
    assert of(trace, 0)[:4] == [
        (0, 100, R, 0),
        (100, 120, N, 0),
        (120, 150, State.RELEASED, -1),
        (150, 250, State.HOLDING, -1),
    ]
    assert tiles(trace)


def test_contradictions_are_unknown(tmp_path: Path) -> None:
    trace = lone(tmp_path / "t", [(0, "in", 100), (20, "in", 100), (40, "out", 100), (60, "out", 100)])
    assert of(trace, 0)[:4] == [
        (0, 20, State.HOLDING, -1),
        (20, 40, R, 0),
        (40, 60, State.HOLDING, -1),
        (60, 100, A, -1),
    ]


def test_first_seen_leaving(tmp_path: Path) -> None:
    """It was on its CPU when the recording began."""
    trace = lone(tmp_path / "t", [(120, "out", 100)])
    assert of(trace, 0)[:3] == [(0, 100, R, 0), (100, 120, N, 0), (120, 150, B, -1)]


def test_stops_short(tmp_path: Path) -> None:
    trace = lone(tmp_path / "t", [(0, "in", 100)], stop=200)
    assert of(trace, 0)[2:4] == [(150, 200, R, 0), (200, 250, State.HOLDING, -1)]


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (
            lambda sched: sched.events(0, [(10, "in", 1), (5, "out", 1), (12, "in", 1)]),
            "time 5 after a later one",
        ),
        (lambda sched: sched.events(0, [(10, "in", 0)]), "tid 0"),
        (lambda sched: sched.columns(0, [1], [47], [9]), "event id 47"),
        (lambda sched: sched.columns(0, [1], [48], [1 << 23]), "tid 8388608"),
    ],
)
def test_errors_name_what_was_found(tmp_path: Path, spoil: object, found: str) -> None:
    one_thread(tmp_path / "t")
    with TraceWriter(tmp_path / "t") as writer:
        sched: SchedWriter = writer.scheduler(0)
        assert callable(spoil)
        spoil(sched)
    with pytest.raises(TraceFormatError, match=f"sched_0: packet 0: found {found}"):
        analysis.load(tmp_path / "t")
    trace = analysis.load(tmp_path / "t", salvage=True)
    assert len(trace.skipped) == 1
    assert tiles(trace)


def slow_counts(trace: analysis.Trace, index: int) -> tuple[int, int, int]:
    """Return for how long a thread's task was on a CPU, how often the thread was preempted, and migrated."""
    task, stretches = trace.tasks[index], trace.stretches
    assert stretches is not None
    low, high = stretches.first[task : task + 2]
    ends = [*stretches.start[low + 1 : high], stretches.end[task]][: high - low]
    lives = [thread for thread in trace.threads if trace.tasks[thread.index] == task]
    seen = preempted = migrations = 0
    before = None
    for at, end in zip(range(low, high), ends, strict=True):
        if stretches.state[at] == Cpu.ON:
            start, cpu = stretches.start[at], stretches.cpu[at]
            whose = [thread.index for thread in lives if start < thread.end and end > thread.begin][-1:]
            seen += end - start
            if whose == [index]:
                preempted += stretches.preempted[at]
                migrations += before is not None and before[0] == whose and before[1] != cpu
            before = whose, cpu
    return int(seen), int(preempted), int(migrations)


def test_figures_of_tasks(tmp_path: Path) -> None:
    migrations = 0
    for seed in range(15):
        trace = analysis.load(record(tmp_path / str(seed), seed, scheduled=True))
        for thread in analysis.statistics(trace).threads:
            if thread.cpu is not None:
                found = thread.cpu.seen, thread.cpu.preempted, thread.cpu.migrations
                assert found == slow_counts(trace, thread.thread.index)
                migrations += thread.cpu.migrations
    assert migrations


def test_running_twice_at_once_is_a_violation(tmp_path: Path) -> None:
    trace = lone(tmp_path / "t", [(0, "in", 100), (20, "in", 7), (30, "out", 7), (40, "out", 100)])
    assert [str(violation) for violation in analysis.validate(trace)] == [
        f"invariant 8: thread 7 runs on cpu 0 while thread 100 does, until 40 (at 20 ns, {tmp_path}/t/sched)"
    ]


def test_without_a_cpus_stream_nobody_knows_who_was_on_it(tmp_path: Path) -> None:
    path = scheduled(tmp_path / "t")
    (path / "sched" / "sched_1").unlink()
    with pytest.raises(TraceFormatError, match="found streams of 1 CPUs, expected 2"):
        analysis.load(path)
    trace = analysis.load(path, salvage=True)
    assert of(trace, 0)[:4] == [
        (1000, 1500, R, 0),
        (1500, 1800, State.HOLDING, -1),
        (1800, 3000, R, 0),
        (3000, 3200, N, 0),
    ]
    assert tiles(trace)
    assert analysis.validate(trace) == []


@pytest.mark.parametrize("room", ["none", "for one", "for all"])
def test_who_is_not_named_for_want_of_room_is_no_process(tmp_path: Path, room: str) -> None:
    """The recorder has threads in a process, too: only their names tell that they are its."""
    with TraceWriter(tmp_path) as writer:
        writer.process(100).events([(100, 0, "recording_start"), (100, 400, "recording_stop")])
        sched = writer.scheduler(0).events(0, [(0, "in", 100), (100, "out", 100), (100, "in", 101)])
        if room != "none":
            sched.task(100, 0, 100, "python")
        if room == "for one":
            sched.fail(50, 28, "No space left on device")
        if room == "for all":
            sched.task(101, 50, 101, "cc")
    pids = [process.pid for process in analysis.load(tmp_path).processes]
    assert pids == ([100, 101] if room == "for all" else [100])


def test_a_recording_that_failed_knows_nothing_from_then_on(tmp_path: Path) -> None:
    one_thread(tmp_path / "t")
    with TraceWriter(tmp_path / "t") as writer:
        sched = writer.scheduler(0).events(0, [(0, "in", 100)])
        sched.task(100, 0, 100, "python").fail(200, 28, "No space left on device").stop(450)
    trace = analysis.load(tmp_path / "t")
    assert of(trace, 0) == [
        (0, 100, R, 0),
        (100, 150, N, 0),
        (150, 200, R, 0),
        (200, 250, State.HOLDING, -1),
        (250, 300, State.RELEASED, -1),
        (300, 400, State.HOLDING, -1),
        (400, 450, State.RELEASED, -1),
    ]
    file = io.StringIO()
    print_summary(trace, Console(file=file))
    assert "The recording of the scheduler ended early: No space left on device." in file.getvalue()

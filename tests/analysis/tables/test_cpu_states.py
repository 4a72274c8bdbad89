"""What the scheduler adds: states that say what the CPU did, exact."""

import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import analysis
from analysis import State, TraceFormatError
from analysis.commands.dump import dump
from analysis.model import WITHOUT
from analysis.report.reservations import unrecorded_line
from analysis.report.summary import to_json
from analysis.report.terminal import print_summary
from analysis.states import STATES
from analysis.tables.onto_cpu import make_stretches
from analysis.tables.trace import Trace
from tests.analysis.fold.recordings import record
from tests.analysis.scenes import one_thread, scheduled, two_threads
from tests.synthetic import SchedWriter, TraceWriter

R, S, W, N, B = State.RUNNING, State.STALLED, State.WAITING, State.NATIVE, State.BLOCKED
A, Y = State.HOLDING_ASLEEP, State.READY


def of(trace: Trace, thread: int) -> list[tuple[int, int, State, int]]:
    rows = trace.intervals[trace.intervals["thread"] == thread]
    return [
        (start, end, State(state), cpu)
        for start, end, state, cpu in zip(
            rows["start"].tolist(),
            (rows["start"] + rows["duration"]).tolist(),
            rows["state"].tolist(),
            rows["cpu"].tolist(),
            strict=True,
        )
    ]


def tiles(trace: Trace) -> bool:
    for thread in trace.threads:
        rows = of(trace, thread.index)
        ends = [thread.begin, *(end for _, end, *_ in rows)]
        if [start for start, *_ in rows] != ends[:-1] or ends[-1] != thread.end:
            return False
    return True


def test_states_on_cpus(tmp_path: Path) -> None:
    trace = analysis.load(scheduled(tmp_path / "t"))
    assert [(thread.name, thread.tid) for thread in trace.threads] == [
        ("MainThread", 100),
        ("worker", 101),
        ("cprog", 200),
    ]
    assert of(trace, 0) == [
        (1000, 1500, R, 0),
        (1500, 1800, S, -1),
        (1800, 3000, R, 0),
        (3000, 3200, N, 0),
        (3200, 3400, B, -1),
        (3400, 3500, N, 1),
        (3500, 4050, W, -1),
        (4050, 5000, R, 0),
    ]
    assert of(trace, 1) == [
        (2000, 3100, W, -1),
        (3100, 3300, R, 1),
        (3300, 3600, S, -1),
        (3600, 3900, R, 0),
        (3900, 3950, S, -1),
        (3950, 4000, R, 1),
        (4000, 4500, N, 1),
    ]
    assert of(trace, 2) == [(1200, 1700, N, 1), (1700, 2100, B, -1), (2100, 2400, N, 1)]
    assert trace.intervals["unfinished"].tolist() == [False] * 7 + [True] + [False] * 10
    assert trace.intervals["gil"].tolist() == [0, 0, 0, -1, -1, -1, 0, 0] + [0] * 6 + [-1] * 4
    assert analysis.validate(trace) == []


def test_preempted_is_not_asleep(tmp_path: Path) -> None:
    """Who was preempted could go on all the time; who went to sleep could not."""
    trace = lone(
        tmp_path / "t",
        [
            (0, "in", 100),
            (20, "out", 100),
            (30, "in", 100),
            (50, "preempted", 100),
            (90, "in", 100),
            (110, "preempted", 100),
            (120, "in", 100),
            (130, "out", 100),
            (140, "in", 100),
        ],
    )
    assert of(trace, 0)[:10] == [
        (0, 20, R, 0),
        (20, 30, A, -1),
        (30, 50, R, 0),
        (50, 90, S, -1),
        (90, 100, R, 0),
        (100, 110, N, 0),
        (110, 120, Y, -1),
        (120, 130, N, 0),
        (130, 140, B, -1),
        (140, 150, N, 0),
    ]
    figures = analysis.statistics(trace)
    cpu = figures.cpu
    assert cpu is not None
    assert (cpu.asleep.total, cpu.stalled.total, cpu.ready.total, cpu.preempted) == (10, 40, 10, 2)
    assert figures.parallelism == 300 / 450
    assert figures.cores == 250 / 450
    assert analysis.validate(trace) == []


def test_ready_from_its_birth(tmp_path: Path) -> None:
    one_thread(tmp_path / "t")
    with TraceWriter(tmp_path / "t") as writer:
        sched = writer.scheduler(0)
        sched.events(0, [(60, "in", 7), (70, "out", 7)]).task(7, 40, 7, "cc").exit(7, 70).stop(450)
    assert of(analysis.load(tmp_path / "t"), 1) == [(40, 60, Y, -1), (60, 70, N, 0)]


def test_one_table_names_all_states() -> None:
    """Each state is a part of one of the GIL's; those that a CPU makes are made by one thing only."""
    assert set(STATES) == set(State)
    assert len({kind.word for kind in STATES.values()}) == len(State)
    gil = {State.UNKNOWN, State.RELEASED, State.WAITING, State.HOLDING}
    assert {kind.of for kind in STATES.values()} == gil
    assert all(STATES[state].of == state for state in gil)
    made = [(kind.of, kind.cpu) for kind in STATES.values() if kind.cpu is not None]
    assert len(made) == len(set(made)) == 6


def test_the_other_tables_know_nothing_of_cpus(tmp_path: Path) -> None:
    plain = analysis.load(two_threads(tmp_path / "plain"))
    trace = analysis.load(scheduled(tmp_path / "t"))
    assert trace.handoffs.tolist() == plain.handoffs.tolist()
    assert trace.waits.tolist() == plain.waits.tolist()
    assert trace.events.tolist() == plain.events.tolist()
    assert trace.gil_intervals[:-1].tolist() == plain.intervals.tolist() == plain.gil_intervals.tolist()
    assert (plain.intervals["cpu"] == -1).all()
    assert plain.scheduling is None
    assert len(plain.on_cpu) == len(plain.retries) == 0


def test_a_program_in_c_is_a_process(tmp_path: Path) -> None:
    trace = analysis.load(scheduled(tmp_path / "t"))
    process = trace.processes[1]
    assert (process.pid, process.ppid, process.argv, process.begin, process.end) == (
        200,
        100,
        ("cprog",),
        1200,
        2400,
    )
    assert (process.python_implementation, process.switch_interval, process.hostname) == ("", 0, "synthetic")
    assert process.ended == "stopped"
    assert [gil.process for gil in trace.gils] == [0]


def test_on_cpu(tmp_path: Path) -> None:
    trace = analysis.load(scheduled(tmp_path / "t"))
    rows = trace.on_cpu
    assert rows[rows["tid"] == 101][["start", "duration", "cpu", "preempted"]].tolist() == [
        (1900, 150, 1, False),
        (2500, 10, 1, False),
        (3050, 250, 1, True),
        (3600, 300, 0, True),
        (3950, 560, 1, False),
    ]
    assert rows["thread"][rows["tid"] == 101].tolist() == [1] * 5
    main = rows[rows["tid"] == 100]
    assert main[["start", "duration"]][0].tolist() == (500, 1000)  # also before its life
    assert main[["start", "duration"]][-1].tolist() == (4020, 1180)  # and behind it


def test_retries(tmp_path: Path) -> None:
    trace = analysis.load(scheduled(tmp_path / "t"))
    assert trace.retries[["start", "duration", "thread", "cpu"]].tolist() == [
        (3700, 50, 0, 1),
        (2500, 10, 1, 1),
    ]
    assert trace.waits["start"][trace.retries["wait"]].tolist() == [3500, 2000]


def test_statistics(tmp_path: Path) -> None:
    figures = analysis.statistics(analysis.load(scheduled(tmp_path / "t")))
    main, worker, program = figures.threads
    for each in figures.threads:
        assert sum(each.time.values()) == each.lifetime
    assert {state: time for state, time in main.time.items() if time} == {
        R: 2650,
        S: 300,
        W: 550,
        N: 300,
        B: 200,
    }
    assert (main.held, worker.held, program.held) == (2950, 900, 0)
    assert worker.cpu is not None and main.cpu is not None and program.cpu is not None
    assert (worker.cpu.stalled.count, worker.cpu.stalled.total, worker.cpu.stalled.max) == (2, 350, 300)
    assert main.cpu.time == 500 + 1400 + 100 + 50 + 50 + 30 + 950
    assert program.cpu.time == 800
    assert (main.cpu.retries, worker.cpu.retries) == (1, 1)
    assert (main.cpu.preempted, worker.cpu.preempted) == (1, 2)


def lone(
    path: Path,
    events: Sequence[tuple[int, str, int]],
    *,
    cpus: dict[int, Sequence[tuple[int, str, int]]] | None = None,
    stop: int | None = 450,
) -> Trace:
    """One thread, 0 to 450: holds 0-100, 150-250, 300-400; its CPUs."""
    one_thread(path)
    with TraceWriter(path) as trace:
        sched = trace.scheduler(0)
        for cpu, of_cpu in {0: events, **(cpus or {})}.items():
            sched.events(cpu, of_cpu)
        sched.task(100, 0, 100, "python")
        if stop is not None:
            sched.stop(stop)
    return analysis.load(path)


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


def test_tid_given_again(tmp_path: Path) -> None:
    one_thread(tmp_path / "t")
    with TraceWriter(tmp_path / "t") as writer:
        sched = writer.scheduler(0)
        sched.events(0, [(2, "in", 7), (50, "in", 7), (70, "preempted", 7), (80, "in", 7), (95, "out", 7)])
        sched.task(7, 2, 7, "true").exit(7, 30).task(7, 40, 7, "false").exit(7, 90).stop(450)
    trace = analysis.load(tmp_path / "t")
    assert [(thread.name, thread.begin, thread.end) for thread in trace.threads[1:]] == [
        ("true", 2, 30),
        ("false", 40, 95),
    ]
    assert of(trace, 1) == [(2, 30, N, 0)]
    assert of(trace, 2) == [(40, 50, Y, -1), (50, 70, N, 0), (70, 80, Y, -1), (80, 95, N, 0)]


def test_native_threads_of_a_python(tmp_path: Path) -> None:
    """They get lanes of their process, within what was recorded of it."""
    one_thread(tmp_path / "t")
    with TraceWriter(tmp_path / "t") as writer:
        sched = writer.scheduler(0)
        sched.events(0, [(0, "in", 100)]).events(1, [(10, "in", 105), (600, "out", 105)])
        sched.task(100, 0, 100, "python").task(105, 10, 100, "blas").stop(700)
    trace = analysis.load(tmp_path / "t")
    assert [(thread.name, thread.process, thread.begin, thread.end) for thread in trace.threads] == [
        ("MainThread", 0, 0, 450),
        ("blas", 0, 10, 450),
    ]
    assert of(trace, 1) == [(10, 450, N, 1)]
    assert analysis.validate(trace) == []


def test_only_the_scheduler(tmp_path: Path) -> None:
    """--exec: no GIL at all."""
    with TraceWriter(tmp_path / "t") as writer:
        sched = writer.scheduler(0)
        sched.events(0, [(0, "in", 7), (50, "out", 7)]).events(1, [(10, "in", 8)])
        sched.task(7, 0, 7, "jython").task(8, 10, 7, "worker").exit(8, 60).exit(7, 90).stop(90)
    trace = analysis.load(tmp_path / "t")
    assert [(thread.name, thread.main) for thread in trace.threads] == [("jython", True), ("worker", False)]
    assert set(trace.intervals["state"].tolist()) <= set(WITHOUT)
    assert tiles(trace)
    assert analysis.validate(trace) == []
    assert len(trace.events) == 0


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


def test_many_packets(tmp_path: Path) -> None:
    """They are read some at once: what is right, and what is not, is the same however they lie."""
    turns = [(2 * turn, "in", 7 + turn % 2) for turn in range(100)]
    tables = []
    for size in (1, 2000):
        one_thread(tmp_path / str(size), 1000)
        with TraceWriter(tmp_path / str(size)) as writer:
            sched = writer.scheduler(0)
            sched.events_per_packet = size
            for cpu in range(2):
                sched.events(cpu, [(time + cpu, what, tid) for time, what, tid in turns[cpu::3]])
                sched.events(cpu, [(300, "lost", 2), (310, "in", 7), (320, "preempted", 7)])
            sched.task(7, 0, 7, "a").task(8, 0, 8, "b").stop(400)
        tables.append(analysis.load(tmp_path / str(size)))
    one, other = tables
    assert one.stretches is not None and other.stretches is not None
    for name in ("start", "duration", "state", "cpu", "preempted", "first"):
        assert np.array_equal(getattr(one.stretches, name), getattr(other.stretches, name))
    assert one.scheduling is not None and one.scheduling.lost == 4
    one_thread(tmp_path / "t")
    with TraceWriter(tmp_path / "t") as writer:
        sched = writer.scheduler(0)
        sched.events_per_packet = 1
        sched.events(0, [(time if time != 32 else 5, "in", 7) for time in range(50)])
    with pytest.raises(TraceFormatError, match="sched_0: packet 32: found time 5 after a later one"):
        analysis.load(tmp_path / "t")
    assert "18 events" in analysis.load(tmp_path / "t", salvage=True).skipped[0]


def test_gaps_some_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(15):
        path = record(tmp_path / str(seed), seed, scheduled=True)
        one, other = analysis.load(path), analysis.load(path)
        assert one.scheduling is not None
        whole = make_stretches(one.scheduling)
        with monkeypatch.context() as patched:
            patched.setattr("analysis.tables.onto_cpu._AT_ONCE", 7)
            patched.setattr("analysis.measures.cpu_time._AT_ONCE", 7)
            assert other.stretches is not None
            for name in ("start", "duration", "state", "cpu", "preempted", "first"):
                assert np.array_equal(getattr(whole, name), getattr(other.stretches, name))
            assert analysis.statistics(other).cpu == analysis.statistics(one).cpu


def test_ten_thousand_tasks_of_a_microsecond(tmp_path: Path) -> None:
    tids = np.arange(1000, 11000)
    one_thread(tmp_path / "t", 400)
    with TraceWriter(tmp_path / "t") as writer:
        sched = writer.scheduler(0)
        sched.columns(0, (tids - 1000) * 5, np.full(len(tids), 48), tids).stop(60000)
        for tid in tids.tolist():
            sched.task(tid, (tid - 1000) * 5, 100, "short").exit(tid, (tid - 1000) * 5 + 3)
    trace = analysis.load(tmp_path / "t")
    assert len(trace.threads) == 10001
    assert trace.on_cpu["duration"].sum() == 30000
    assert tiles(trace)


def test_summary_for_machines(tmp_path: Path) -> None:
    summary = to_json(analysis.load(scheduled(tmp_path / "t")))
    assert summary == json.loads(json.dumps(summary))
    assert summary["scheduling"] == {
        "begin_ns": 500,
        "end_ns": 5200,
        "lost": 0,
        "failure": None,
        "cpus": [0, 1],
        "native": "off",
    }
    worker = summary["processes"][0]["threads"][1]
    assert worker["time_ns"] == {"unknown": 0, "released": 500, "waiting": 1100, "holding": 900}
    assert worker["states_ns"] == {
        "running": 550,
        "stalled": 350,
        "asleep": 0,
        "waiting": 1100,
        "native": 500,
        "ready": 0,
        "locked": 0,
        "stopped": 0,
        "blocked": 0,
        "holding": 0,
        "released": 0,
        "unknown": 0,
    }
    cpu = worker["cpu"]
    assert (cpu["time_ns"], cpu["seen_ns"], cpu["waiting_ns"], cpu["unsure_ns"]) == (1160, 1270, 110, 0)
    assert (cpu["preempted"], cpu["migrations"], cpu["retries"], cpu["badness"]) == (2, 2, 1, 1.0)
    assert cpu["stalled_ns"]["total"] == 350
    assert summary["processes"][1]["threads"][0]["cpu"]["badness"] is None


def test_summary_for_people(tmp_path: Path) -> None:
    file = io.StringIO()
    print_summary(analysis.load(scheduled(tmp_path / "t")), Console(file=file, width=250))
    text = file.getvalue()
    line = next(line for line in text.splitlines() if line.startswith("  worker "))
    assert " ".join(line.split()) == (
        "worker ████╱╱╱▒▒▒▒▒▒▒▒▒▄▄▄▄ 550 ns 22 % 350 ns 14 % 1.10 µs 44 % 500 ns 20 % 0 0 %"
        " 1.16 µs 2 300 ns 2 1 1 1 1 0 1"
    )
    assert "worker held the GIL without a CPU for 350 ns of 650 ns in all, once for 300 ns." in text


def test_running_twice_at_once_is_a_violation(tmp_path: Path) -> None:
    trace = lone(tmp_path / "t", [(0, "in", 100), (20, "in", 7), (30, "out", 7), (40, "out", 100)])
    assert [str(violation) for violation in analysis.validate(trace)] == [
        f"invariant 8: thread 7 runs on cpu 0 while thread 100 does, until 40 (at 20 ns, {tmp_path}/t/sched)"
    ]


def test_dump(tmp_path: Path) -> None:
    file = io.StringIO()
    dump(analysis.load(scheduled(tmp_path / "t")), file)
    lines = file.getvalue().splitlines()
    assert lines[0] == "    -0.000000500     100     100 MainThread       sched_in cpu=0"
    assert "     0.000000200     200     200 cprog            sched_in cpu=1" in lines
    assert "     0.000002300     100     101 worker           sched_preempted cpu=1" in lines
    assert len(lines) == 14 + 21
    assert "lost" not in file.getvalue()


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


def test_a_python_that_becomes_another_program(tmp_path: Path) -> None:
    """os.execv: a process with the same pid, that begins with the exec."""
    with TraceWriter(tmp_path / "t") as writer:
        writer.process(100).events([(100, 0, "gil_acquired"), (100, 90, "gil_released")])
        sched = writer.scheduler(0).events(0, [(0, "in", 100), (130, "out", 100), (150, "in", 100)])
        sched.task(100, 0, 100, "python").task(100, 120, 100, "sh").exec(100, 120).exit(100, 200).stop(300)
    trace = analysis.load(tmp_path / "t")
    assert [(thread.name, thread.begin, thread.end) for thread in trace.threads] == [
        ("MainThread", 0, 120),
        ("sh", 120, 200),
    ]
    assert [(process.pid, process.ended) for process in trace.processes] == [(100, "exec"), (100, "stopped")]
    assert of(trace, 1) == [(120, 130, N, 0), (130, 150, B, -1), (150, 200, N, 0)]
    assert analysis.validate(trace) == []
    cpu = analysis.statistics(trace).cpu
    assert cpu is not None
    assert cpu.seen == 130 + 50  # one task, though it is two threads


@pytest.mark.parametrize(
    ("status", "how", "signal"), [(0, "exited", None), (-9, "killed", 9), (None, "running", None)]
)
def test_how_it_ended_the_scheduler_says(
    tmp_path: Path, status: int | None, how: str, signal: int | None
) -> None:
    """A new name is no exec; without a stop it did what it did last until it exits, or the recording ends."""
    program = {} if status is None else {"program_pid": 100, "program_status": status}
    with TraceWriter(tmp_path / "t") as writer:
        writer.process(100).events([(100, 0, "gil_acquired"), (100, 90, "gil_released")])
        sched = writer.scheduler(0, **program).events(0, [(0, "in", 100), (130, "out", 100)])
        sched.task(100, 0, 100, "python").task(100, 120, 100, "uwsgi").stop(300)
        if status is not None:
            sched.exit(100, 200)
    trace = analysis.load(tmp_path / "t")
    (process,) = trace.processes
    assert (process.ended, process.signal, process.end) == (how, signal, 300 if status is None else 200)
    assert of(trace, 0)[:2] == [(0, 90, R, 0), (90, 130, N, 0)]
    assert tiles(trace)
    assert analysis.validate(trace) == []


def test_a_python_that_was_not_recorded_is_unknown(tmp_path: Path) -> None:
    """What has an interpreter in memory may hold a GIL; an exec ends that, a fork hands it on."""
    one_thread(tmp_path / "t")
    with TraceWriter(tmp_path / "t") as writer:
        sched = writer.scheduler(0)
        for tid, comm, ppid in ((7, "python", 100), (8, "frozen", 7), (9, "cc", 7)):
            sched.task(tid, 10 * tid, tid, comm, ppid).events(tid, [(10 * tid + 5, "in", tid)]).exit(tid, 200)
        sched.exec(7, 71).python(7, 72).exec(9, 91).stop(450)
    trace = analysis.load(tmp_path / "t")
    states = {thread.name: {row[2] for row in of(trace, thread.index)} for thread in trace.threads}
    assert states["python"] == states["frozen"] == {State.UNKNOWN}
    assert states["cc"] == {Y, N}
    assert "2 Pythons were not recorded (processes 7, 8)" in unrecorded_line(trace)
    recorded = {process["pid"]: process["recorded"] for process in to_json(trace)["processes"]}
    assert recorded == {100: True, 7: False, 8: False, 9: True}


def test_equal_numbers_in_different_namespaces(tmp_path: Path) -> None:
    """A process in another pid namespace has other ids for itself than the scheduler has."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100, pid_namespace=77)
        process.events([(100, 0, "gil_acquired"), (100, 90, "gil_released"), (101, 10, "gil_wait")]).stop(
            100, 200
        )
        sched = writer.scheduler(0, pid_namespace=11)
        sched.events(0, [(0, "in", 100), (200, "out", 100)]).task(100, 0, 100, "other")
        sched.events(1, [(0, "in", 500), (40, "preempted", 500), (60, "in", 500)])
        sched.task(500, 0, 500, "python").inner(500, 0, 77, 100)
        sched.events(2, [(8, "in", 501), (30, "out", 501)]).task(501, 7, 500, "python")
        sched.stop(300)
    trace = analysis.load(tmp_path / "t")
    main, worker = (thread for thread in trace.threads if thread.tid in (100, 101) and thread.name != "other")
    assert of(trace, main.index)[:4] == [(0, 40, R, 1), (40, 60, S, -1), (60, 90, R, 1), (90, 200, N, 1)]
    assert trace.scheduling is not None
    # Gone before it could be asked for its id: the one task of its process that can be it.
    assert trace.scheduling.tasks[trace.tasks[worker.index]].tid == 501
    assert len(trace.processes) == 2


def test_no_task_has_such_a_tid(tmp_path: Path) -> None:
    one_thread(tmp_path / "t")
    with TraceWriter(tmp_path / "t") as writer:
        writer.scheduler(0).events(0, [(0, "in", 100)]).task(1 << 31, 0, 100, "python")
    with pytest.raises(TraceFormatError, match="sched/names: found tid 2147483648, expected one up to"):
        analysis.load(tmp_path / "t")
    assert len(analysis.load(tmp_path / "t", salvage=True).threads) == 1

"""What the scheduler adds: states that say what the CPU did, exact."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import analysis
from analysis import State, TraceFormatError
from analysis.commands.dump import dump
from analysis.report.summary import to_json
from analysis.report.terminal import print_summary
from analysis.states import STATES
from tests.analysis.scenes import one_thread, scheduled, two_threads
from tests.analysis.tables.cpu.stretches import lone, of, tiles
from tests.synthetic import TraceWriter

R, S, W, N, B = State.RUNNING, State.STALLED, State.WAITING, State.NATIVE, State.BLOCKED
A, Y = State.HOLDING_ASLEEP, State.READY


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


def test_dump(tmp_path: Path) -> None:
    file = io.StringIO()
    dump(analysis.load(scheduled(tmp_path / "t")), file)
    lines = file.getvalue().splitlines()
    assert lines[0] == "    -0.000000500     100     100 MainThread       sched_in cpu=0"
    assert "     0.000000200     200     200 cprog            sched_in cpu=1" in lines
    assert "     0.000002300     100     101 worker           sched_preempted cpu=1" in lines
    assert len(lines) == 14 + 21
    assert "lost" not in file.getvalue()

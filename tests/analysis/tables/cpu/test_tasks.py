"""Whose stretches they are: tasks without a Python, numbers given again, and how each ended."""

from pathlib import Path

import pytest

import analysis
from analysis import State, TraceFormatError
from analysis.model import WITHOUT
from analysis.report.reservations import unrecorded_line
from analysis.report.summary import to_json
from tests.analysis.scenes import one_thread, scheduled
from tests.analysis.tables.cpu.stretches import of, tiles
from tests.synthetic import TraceWriter

R, S, N, B = State.RUNNING, State.STALLED, State.NATIVE, State.BLOCKED
A, Y = State.HOLDING_ASLEEP, State.READY


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


def test_one_that_two_could_be_is_what_the_other_leaves(tmp_path: Path) -> None:
    """Nor is it a thread of the recorder's own."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100, pid_namespace=77)
        process.events([(100, 0, "gil_acquired"), (100, 5, "gil_released"), (100, 190, "gil_acquired")])
        for tid, begin, end in ((101, 10, 40), (102, 20, 60)):
            process.events(
                [
                    (tid, begin, "gil_acquired"),
                    (tid, begin + 1, "gil_released"),
                    (tid, end, "thread_exit", tid),
                ]
            )
        process.stop(100, 200)
        sched = writer.scheduler(0, pid_namespace=11)
        sched.events(0, [(0, "in", 500)]).task(500, 0, 500, "python").inner(500, 0, 77, 100)
        for cpu, (tid, comm, begin, end) in enumerate(
            [(501, "python", 7, 45), (502, "python", 8, 70), (503, "gilscope aside", 5, 80)], 1
        ):
            sched.events(cpu, [(begin, "in", tid), (end, "out", tid)]).task(tid, begin, 500, comm).exit(
                tid, end
            )
        sched.stop(300)
    trace = analysis.load(tmp_path / "t")
    assert trace.scheduling is not None
    assert [
        (thread.tid, trace.scheduling.tasks[trace.tasks[thread.index]].tid) for thread in trace.threads
    ] == [*[(100, 500), (101, 501), (102, 502)]]


def test_no_task_has_such_a_tid(tmp_path: Path) -> None:
    one_thread(tmp_path / "t")
    with TraceWriter(tmp_path / "t") as writer:
        writer.scheduler(0).events(0, [(0, "in", 100)]).task(1 << 31, 0, 100, "python")
    with pytest.raises(TraceFormatError, match="sched/names: found tid 2147483648, expected one up to"):
        analysis.load(tmp_path / "t")
    assert len(analysis.load(tmp_path / "t", salvage=True).threads) == 1

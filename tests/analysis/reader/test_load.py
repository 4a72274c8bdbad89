"""Files → processes, threads, GILs."""

from pathlib import Path

import numpy as np
import pytest

import analysis
from analysis import TraceFormatError
from analysis.reader.format import PACKET_SIZE, Event
from tests.analysis.scenes import two_threads
from tests.synthetic import TraceWriter


def test_entities(tmp_path: Path) -> None:
    trace = analysis.load(two_threads(tmp_path / "t"))
    [process] = trace.processes
    assert (process.pid, process.ppid, process.argv) == (100, 1, ("threads.py", "2"))
    assert (process.begin, process.end, process.ended) == (1000, 5000, "stopped")
    assert (process.switch_interval, process.hostname) == (5_000_000, "synthetic")
    assert process.utc_offset == 1_700_000_000_000_000_000
    assert process.environment["cpus"] == 2
    threads = [(t.tid, t.name, t.begin, t.end, t.main) for t in trace.threads]
    assert threads == [(100, "MainThread", 1000, 5000, True), (101, "worker", 2000, 4500, False)]
    assert [(g.process, g.number) for g in trace.gils] == [(0, 0)]
    assert (trace.begin, trace.end) == (1000, 5000)


def test_events(tmp_path: Path) -> None:
    events = analysis.load(two_threads(tmp_path / "t")).events
    assert [Event(kind).name for kind in events["kind"][events["thread"] == 1]] == [
        "THREAD_START",
        "GIL_WAIT",
        "GIL_TIMEOUT",
        "GIL_ACQUIRED",
        "GIL_RELEASED",
        "THREAD_EXIT",
    ]
    assert events["time"][events["thread"] == 1].tolist() == [2000, 2000, 2500, 3100, 4000, 4500]
    assert events["gil"][events["thread"] == 1].tolist() == [-1, 0, 0, 0, 0, -1]
    assert events["arg"][events["thread"] == 1].tolist() == [101, 0, 0, 0, 0, 101]


def test_directory_of_one_process(tmp_path: Path) -> None:
    whole = analysis.load(two_threads(tmp_path / "t"))
    alone = analysis.load(tmp_path / "t/100")
    assert np.array_equal(alone.events, whole.events)


def test_many_packets(tmp_path: Path) -> None:
    """Every event of every packet, in order, whatever the last packet's filling."""
    for count in (2038, 2039, 2040, 2041, 4079, 4080, 4081, 40 * 2040 + 7):
        path = tmp_path / str(count)
        with TraceWriter(path) as writer:
            time = np.arange(count) * 10
            kind = np.where(np.arange(count) % 2, Event.GIL_RELEASED, Event.GIL_ACQUIRED)
            writer.process(100).columns(100, time, kind)
        trace = analysis.load(path)
        assert trace.events["time"].tolist() == [0, *time.tolist()]
        assert trace.events["kind"][1:].tolist() == kind.tolist()
        assert analysis.validate(trace) == []


def test_killed(tmp_path: Path) -> None:
    """No stop was written, the packet ahead is at the end of time: the process ends with its last event."""
    with TraceWriter(tmp_path / "t") as writer:
        writer.process(100).events(
            [(100, 10, "gil_acquired"), (101, 20, "gil_wait"), (101, 70, "gil_timeout")]
        )
    trace = analysis.load(tmp_path / "t")
    assert (trace.processes[0].ended, trace.end) == ("killed", 70)
    assert trace.intervals["unfinished"].tolist() == [True, True]
    assert trace.waits[["start", "duration", "timeouts", "outcome"]].tolist() == [(20, 50, 1, 0)]


@pytest.mark.parametrize("tail", [0, 1, 4096, PACKET_SIZE, 3 * PACKET_SIZE + 5])
def test_killed_while_preparing(tmp_path: Path, tail: int) -> None:
    """Zeros at the end, and an empty file, are what a kill leaves behind."""
    path = two_threads(tmp_path / "t")
    before = analysis.load(path).events
    with (path / "100/gil_1").open("ab") as file:
        file.write(bytes(tail))
    (path / "100/gil_2").touch()
    assert np.array_equal(analysis.load(path).events, before)


def test_failure_is_told(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        process.events([(100, 10, "gil_acquired"), (100, 20, "gil_released")])
        process.fail(50, 28, "/tmp/t/100/gil_0").discard(100, 7)
    [process_read] = analysis.load(tmp_path / "t").processes
    assert process_read.ended == "failed"
    assert process_read.failure == "No space left on device: /tmp/t/100/gil_0"
    assert (process_read.end, process_read.discarded) == (50, 7)


def test_thread_alive_before(tmp_path: Path) -> None:
    """It lives from the recording's begin; what it did is unknown until its first event."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        process.events(
            [
                (100, 10, "recording_start"),
                (100, 10, "gil_acquired"),
                (100, 40, "gil_released"),
                (101, 45, "gil_acquired"),
            ]
        )
        for tid in (100, 101, 102, 103):
            process.name(tid, 5, "python", "thread_alive")
        process.name(102, 6, "sleeper")
        process.stop(100, 60)
    trace = analysis.load(tmp_path / "t")
    lives = [(t.tid, t.name, t.begin, t.end) for t in trace.threads]
    assert lives == [(100, "MainThread", 10, 60), (101, "thread 101", 10, 60), (102, "sleeper", 10, 60)]
    of_101 = trace.intervals[trace.intervals["thread"] == 1][["start", "duration", "state"]].tolist()
    assert of_101 == [(10, 35, analysis.State.UNKNOWN), (45, 15, analysis.State.HOLDING)]
    of_102 = trace.intervals[trace.intervals["thread"] == 2][["start", "duration", "state"]].tolist()
    assert of_102 == [(10, 50, analysis.State.UNKNOWN)]
    assert analysis.validate(trace) == []
    assert len(trace.events) == 7  # the thread that was never seen has none


def test_hold_from_before(tmp_path: Path) -> None:
    """A first event that gives the GIL back: its hold began before the recording, and it hands on."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        process.events([(100, 10, "gil_released"), (101, 20, "gil_acquired"), (101, 30, "gil_released")])
        process.name(100, 5, "python", "thread_alive")
        process.stop(100, 50)
    trace = analysis.load(tmp_path / "t")
    assert analysis.validate(trace) == []
    handoffs = trace.handoffs[["released", "acquired", "from_thread", "to_thread"]].tolist()
    assert handoffs == [(10, 20, 0, 1)]


def test_tid_used_again(tmp_path: Path) -> None:
    """The OS gives a tid to a later thread: two threads, each with its own name."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        process.events(
            [
                (100, 0, "recording_start"),
                (101, 10, "gil_acquired"),
                (101, 20, "gil_released"),
                (101, 30, "thread_exit"),
                (101, 40, "thread_start"),
                (101, 50, "gil_acquired"),
                (101, 60, "gil_released"),
                (101, 70, "thread_exit"),
            ]
        )
        process.name(101, 12, "first").name(101, 52, "second, early").name(101, 58, "second")
        process.stop(100, 90)
    trace = analysis.load(tmp_path / "t")
    lives = [(t.tid, t.name, t.begin, t.end) for t in trace.threads]
    assert lives == [(100, "MainThread", 0, 90), (101, "first", 10, 30), (101, "second", 40, 70)]
    assert analysis.validate(trace) == []


def test_names(tmp_path: Path) -> None:
    """Python's name, or the OS's if it is not the one that all inherit, or the tid."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        process.events([(tid, 10 + tid, "gil_acquired") for tid in (100,)])
        process.events([(tid, 10 + tid, "thread_start") for tid in (101, 102, 103, 104)])
        process.name(100, 1, "python3", "thread_alive")
        process.name(101, 300, "python3", "thread_comm").name(102, 300, "pool-1", "thread_comm")
        process.name(103, 300, "c-name", "thread_comm").name(103, 310, "Früh ☕").name(103, 320, "Spät ☕")
        process.name(104, 300, "python3", "thread_comm")
        process.stop(100, 400)
    names = [thread.name for thread in analysis.load(tmp_path / "t").threads]
    assert names == ["MainThread", "thread 101", "pool-1", "Spät ☕", "thread 104"]


def test_ten_thousand_threads_in_one_file(tmp_path: Path) -> None:
    """Short-lived threads one after another share a stream file; each one is told apart."""
    count = 10_000
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        process.events([(100, 0, "recording_start")])
        kinds = [Event.THREAD_START, Event.GIL_ACQUIRED, Event.GIL_RELEASED, Event.THREAD_EXIT]
        for number in range(count):
            process.columns(1000 + number, 100 * number + np.array([10, 10, 50, 60]), kinds)
        process.stop(100, 100 * count)
    assert len(list((tmp_path / "t/100").glob("gil_*"))) == 2
    trace = analysis.load(tmp_path / "t")
    assert len(trace.threads) == count + 1
    assert [thread.begin for thread in trace.threads[1:]] == [100 * n + 10 for n in range(count)]
    assert analysis.validate(trace) == []
    statistics = analysis.statistics(trace)
    assert statistics.counts.acquires == count
    assert statistics.time[analysis.State.HOLDING] == 40 * count
    assert all(thread.time[analysis.State.HOLDING] == 40 for thread in statistics.threads[1:])


def test_processes_in_order(tmp_path: Path) -> None:
    """As they began; a fork child's state is unknown until its first event; after exec a pid comes again."""
    with TraceWriter(tmp_path / "t") as writer:
        parent = writer.process(300)
        parent.events([(300, 10, "recording_start"), (300, 10, "gil_acquired")]).stop(300, 100)
        child = writer.process(200, ppid=300)
        child.events(
            [(200, 30, "thread_start"), (200, 30, "process_fork", 0, 300), (200, 40, "gil_acquired")]
        )
        again = writer.process(300)
        again.events([(300, 120, "recording_start"), (300, 120, "gil_acquired")]).stop(300, 130)
    trace = analysis.load(tmp_path / "t")
    assert [(p.pid, p.begin) for p in trace.processes] == [(300, 10), (200, 30), (300, 120)]
    assert [(g.process, g.number) for g in trace.gils] == [(0, 0), (1, 0), (2, 0)]
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == ["200", "300", "300_2"]
    of_child = trace.intervals[trace.intervals["thread"] == 1][["start", "duration", "state"]].tolist()
    assert of_child == [(30, 10, analysis.State.UNKNOWN), (40, 0, analysis.State.HOLDING)]
    assert trace.intervals["gil"].tolist() == [0, -1, 1, 2]
    assert analysis.validate(trace) == []


def test_several_gils(tmp_path: Path) -> None:
    """Two interpreters with a GIL each: both are held at once, and no handoff goes from one to the other."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        process.events(
            [
                (100, 0, "gil_acquired", 0),
                (101, 10, "gil_acquired", 3),
                (100, 50, "gil_released", 0),
                (102, 60, "gil_acquired", 0),
                (101, 70, "gil_released", 3),
                (101, 80, "gil_acquired", 3),
                (102, 90, "gil_released", 0),
                (102, 95, "gil_wait", 3),
                (101, 99, "gil_released", 3),
                (102, 99, "gil_acquired", 3),
            ]
        )
        process.stop(100, 200)
    trace = analysis.load(tmp_path / "t")
    assert [gil.number for gil in trace.gils] == [0, 3]
    handoffs = trace.handoffs[
        ["released", "acquired", "gil", "from_thread", "to_thread", "contended"]
    ].tolist()
    assert handoffs == [(50, 60, 0, 0, 2, False), (70, 80, 1, 1, 1, False), (99, 99, 1, 1, 2, True)]
    assert analysis.validate(trace) == []
    first, second = analysis.statistics(trace).gils
    assert (first.held, first.contended, first.wait.count) == (50 + 30, 0, 0)
    assert (second.held, second.contended, second.hold.max) == (60 + 19 + 101, 4, 101)


def test_own_gil_destroyed_while_held(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        process.events(
            [(100, 0, "gil_acquired", 1), (100, 10, "gil_acquired", 0), (100, 20, "gil_released", 0)]
        )
        process.stop(100, 30)
    trace = analysis.load(tmp_path / "t")
    assert analysis.validate(trace) == []
    assert trace.intervals[["start", "duration", "gil"]].tolist() == [(0, 10, 1), (10, 10, 0), (20, 10, -1)]


def test_events_lost_in_the_middle(tmp_path: Path) -> None:
    """The next packet was not ready in time: what the thread did between the two is unknown, not guessed."""
    path = tmp_path / "t"
    with TraceWriter(path) as writer:
        kinds = np.tile([Event.GIL_ACQUIRED, Event.GIL_RELEASED], 2000)
        writer.process(100).columns(100, np.arange(4000) * 10, kinds)
    file = path / "100/gil_0"
    data = bytearray(file.read_bytes())
    data[40:48] = (5).to_bytes(8, "little")  # the first packet lost 5
    data[PACKET_SIZE + 40 : PACKET_SIZE + 48] = (5).to_bytes(8, "little")
    lost_release = PACKET_SIZE + 128  # and what follows is not what could follow
    data[lost_release + 8 : lost_release + 10] = int(Event.GIL_RELEASED).to_bytes(2, "little")
    data[lost_release + 24 : lost_release + 26] = int(Event.GIL_ACQUIRED).to_bytes(2, "little")
    data[lost_release + 40 : lost_release + 42] = int(Event.GIL_RELEASED).to_bytes(2, "little")
    del data[lost_release + 48 : 2 * PACKET_SIZE]
    data[lost_release + 48 : lost_release + 48] = bytes(2 * PACKET_SIZE - lost_release - 48)
    data[PACKET_SIZE + 24 : PACKET_SIZE + 32] = (8 * (128 + 48)).to_bytes(8, "little")
    file.write_bytes(data)
    trace = analysis.load(path)
    assert trace.processes[0].discarded == 5
    unknown = trace.intervals[trace.intervals["state"] == analysis.State.UNKNOWN]
    assert unknown[["start", "duration"]].tolist() == [(20380, 10)]
    assert [violation.invariant for violation in analysis.validate(trace)] == [7]


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(TraceFormatError, match=f"{tmp_path}/no: found no such file"):
        analysis.load(tmp_path / "no")
    with pytest.raises(TraceFormatError, match=f"{tmp_path}: found no process"):
        analysis.load(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(TraceFormatError, match="a file that is no packed trace"):
        analysis.load(tmp_path / "file")


def test_killed_before_the_first_event(tmp_path: Path) -> None:
    path = two_threads(tmp_path / "t")
    (path / "101").mkdir()
    (path / "102").mkdir()
    (path / "102/metadata").write_text(
        (path / "100/metadata").read_text().replace(" pid = 100", " pid = 102")
    )
    trace = analysis.load(path)
    assert [process.pid for process in trace.processes] == [100, 102]
    assert trace.threads_of(trace.processes[1]) == slice(2, 2)


def test_files_that_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trace may be read while it is recorded: files are then longer than when they were measured."""
    path = two_threads(tmp_path / "t")
    before = analysis.load(path).events
    monkeypatch.setattr("analysis.tables.load._capacity", lambda directories: 1)
    assert np.array_equal(analysis.load(path).events, before)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ((("worker", "thread_name"), ("Dummy-1", "thread_name")), "worker"),
        ((("Dummy-1", "thread_name"), ("worker", "thread_name")), "worker"),
        ((("Dummy-3", "thread_name"), ("cuda-EvtHandlr", "thread_comm")), "cuda-EvtHandlr"),
        ((("Dummy-3", "thread_name"), ("python", "thread_comm")), "Dummy-3"),
        ((("worker", "thread_name"), ("cuda-EvtHandlr", "thread_comm")), "worker"),
        ((("Dummy-1", "thread_name"), ("Dummy-2", "thread_name")), "Dummy-1"),
    ],
)
def test_made_up_names_hide_none(tmp_path: Path, said: tuple[tuple[str, str], ...], name: str) -> None:
    """A thread that enters a subinterpreter is "Dummy-1" there; a library's own thread is in Python too."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100).name(100, 0, "python", "thread_comm")
        process.events([(100, 0, "gil_acquired"), (100, 5, "gil_released"), (101, 10, "gil_acquired")])
        for text, kind in said:
            process.name(101, 20, text, kind)
    assert analysis.load(tmp_path / "t").threads[1].name == name

"""The last second of a recording: exact on synthetic traces, and as `top` shows it of a program that runs."""

from __future__ import annotations

import io
import mmap
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

import analysis
from analysis import State
from analysis.errors import GilscopeError
from analysis.live.beside import Beside
from analysis.live.follow import Pace
from analysis.live.metrics import MOST_PATTERNS, OTHERS, Metrics, pattern, serve
from analysis.live.recording import recording_of
from analysis.live.screen import folded, ordered, plain, screen
from analysis.live.second import Second, ThreadSecond, look
from analysis.reader import names, records
from analysis.reader.code import frames, native
from tests.synthetic import TraceWriter

MS = 1_000_000


def growing(path: Path) -> None:
    """100 holds until 30 ms, 101 waits from 10 ms on, and 102 from 35 ms on for 101: nobody has ended."""
    with TraceWriter(path) as trace:
        process = trace.process(pid=100)
        process.events(
            [
                (100, 0, "recording_start"),
                (100, 0, "gil_acquired"),
                (101, 10 * MS, "gil_wait"),
                (100, 30 * MS, "gil_released"),
                (101, 30 * MS, "gil_acquired"),
                (102, 35 * MS, "gil_wait"),
            ]
        )
        process.name(101, 10 * MS, "worker-1")
        process.name(102, 35 * MS, "worker-2")


def test_states_go_on_until_now(tmp_path: Path) -> None:
    growing(tmp_path / "t")
    second = look(tmp_path / "t", 20 * MS, 60 * MS)
    assert second is not None
    main, first, other = second.threads
    assert (main.time[State.HOLDING], main.time[State.RELEASED]) == (10 * MS, 30 * MS)
    assert (first.time[State.WAITING], first.time[State.HOLDING]) == (10 * MS, 30 * MS)
    assert other.time[State.WAITING] == 25 * MS
    assert second.longest is not None
    assert (second.longest.thread, second.longest.duration) == ("worker-2", 25 * MS)
    assert second.longest.holder == "worker-1"
    assert second.waits == (20 * MS,)  # from its true beginning
    assert second.pairs == [("worker-2", "worker-1", 25 * MS), ("worker-1", "MainThread", 10 * MS)]
    assert ordered(second.threads, "waited")[0].name == "worker-2"
    assert plain(second).startswith("last 40.0 ms: GIL held 100 % · 2 of 3 threads waited, 35.0 ms in all")


def test_only_a_part_is_looked_at_where_looking_costs_more_than_it_may() -> None:
    pace = Pace(1_000 * MS, 0.05)
    pace._before = time.process_time_ns() - 1_000 * MS  # a look that took a second
    pace.end()
    assert 510 * MS <= pace.length <= 530 * MS  # half of the way from 1 s to 50 ms
    for _ in range(60):
        pace.begin()
        pace.end()
    assert pace.length == 1_000 * MS  # looks for nothing


def test_what_looking_costs_by_itself_is_no_reason_to_look_at_less() -> None:
    pace = Pace(1_000 * MS, 0.03)
    pace._before = time.process_time_ns() - 100 * MS  # nothing in it, on a busy machine
    pace.learn()
    pace._before = time.process_time_ns() - 105 * MS
    pace.end()
    assert pace.length == 1_000 * MS
    pace._before = time.process_time_ns() - 1_100 * MS  # very many events
    pace.end()
    assert 495 * MS <= pace.length <= 515 * MS  # half of the way to 10 ms


def test_processes_are_folded_and_locks_have_their_column(tmp_path: Path) -> None:
    growing(tmp_path / "t")
    second = look(tmp_path / "t", 20 * MS, 60 * MS)
    assert second is not None
    (row,) = folded(second)
    assert row.name == "process, 3 threads"
    assert row.time[State.WAITING] == 35 * MS and row.longest_wait == 25 * MS and row.waits == 2
    names = replace(
        second,
        threads=[replace(thread, name=f"ThreadPoolExecutor-0_{thread.tid}") for thread in second.threads],
    )
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(screen(second, sort="waited", by_code=False, height=24, frozen=False))
    shown = console.export_text()
    assert "locks" in shown and max(map(len, shown.splitlines())) <= 80
    console.print(screen(names, sort="name", by_code=False, height=24, frozen=False))
    assert "ThreadPoolExe…-0_100" in console.export_text()
    assert plain(replace(second, begin=0)).startswith("last 60.0 ms: GIL held")
    console.print(screen(second, sort="name", by_code=True, height=24, frozen=True, fold=True))
    assert "go on" in console.export_text()


def test_metrics_sum_up(tmp_path: Path) -> None:
    growing(tmp_path / "t")
    metrics = Metrics()
    for begin in range(0, 60, 20):
        second = look(tmp_path / "t", begin * MS, (begin + 20) * MS)
        assert second is not None
        metrics.add(second)
    value = metrics.registry.get_sample_value
    assert value("gilscope_waited_seconds_total", {"thread": "worker-*"}) == pytest.approx(0.045)
    assert value("gilscope_held_seconds_total", {"thread": "worker-*"}) == pytest.approx(0.030)
    assert value("gilscope_held_seconds_total", {"thread": "MainThread"}) == pytest.approx(0.030)
    assert value("gilscope_wait_seconds_count") == 1
    assert value("gilscope_wait_seconds_bucket", {"le": "0.02"}) == 1
    assert value("gilscope_wait_seconds_bucket", {"le": "0.01"}) == 0


def test_series_are_bounded() -> None:
    metrics = Metrics()
    time_ = dict.fromkeys(State, 0) | {State.HOLDING: MS}
    letters = [chr(0x100 + at) for at in range(3 * MOST_PATTERNS)]
    threads = [ThreadSecond(name, 1, at, time_, 0, 0) for at, name in enumerate(letters)]
    metrics.add(Second(0, MS, threads, 1, (), (), None, (), 0, 0))
    value = metrics.registry.get_sample_value
    assert value("gilscope_held_seconds_total", {"thread": OTHERS}) == pytest.approx(0.1)
    assert pattern("ThreadPoolExecutor-0_12") == pattern("ThreadPoolExecutor-3_4")


def test_bad_targets_say_what_would_do(tmp_path: Path) -> None:
    with pytest.raises(GilscopeError, match="there is no trace"):
        recording_of(str(tmp_path / "no"))
    with pytest.raises(GilscopeError, match="there is no process"):
        recording_of("4194305")
    (tmp_path / "t" / "100").mkdir(parents=True)
    stream = tmp_path / "t" / "100" / "gil_0"
    stream.write_bytes(bytes(4096))
    with (
        stream.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ),  # as who reads it
        pytest.raises(GilscopeError, match="is not recorded: start it with"),
    ):
        recording_of(str(os.getpid()))
    with stream.open("r+b") as written, mmap.mmap(written.fileno(), 0):
        assert recording_of(str(os.getpid())) == tmp_path / "t"
    with pytest.raises(GilscopeError, match="HOST"):
        serve(Metrics(), "nine")


PROGRAM = """
import threading, time
def compute():
    end = time.perf_counter() + 12
    while time.perf_counter() < end:
        sum(range(500))
for number in range(2):
    threading.Thread(target=compute, name=f"worker-{number}", daemon=True).start()
print(flush=True)
input()
"""


def test_top_of_a_program_that_runs(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    tracer = [sys.executable, "-m", "tracer"]
    target = subprocess.Popen(
        [*tracer, "-q", "--no-png", "program.py"],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert target.stdin is not None and target.stdout is not None
    target.stdout.readline()
    top = subprocess.Popen(
        [*tracer, "top", "program.trace", "--metrics", "0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert top.stdout is not None and top.stderr is not None
    served = top.stderr.readline().split()[-1]
    lines = [top.stdout.readline() for _ in range(3)]
    page = urllib.request.urlopen(served).read().decode()
    target.stdin.close()
    assert target.wait(60) == 1  # input() meets the end
    assert top.wait(60) == 0  # with the recording
    top.stdout.close()
    top.stderr.close()
    target.stdout.close()
    assert any("compute(), program.py:" in line and "threads waited" in line for line in lines), lines
    assert 'gilscope_waited_seconds_total{thread="worker-*"}' in page


def test_what_was_read_is_not_decoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with TraceWriter(tmp_path / "t") as trace:
        process = trace.process(pid=100)
        process.events(
            [(100, 0, "recording_start"), (100, 0, "gil_acquired"), (100, 30 * MS, "gil_released")]
        )
        for number in range(1, 1000):  # of more than one packet
            process.name(100, number, f"a thread's name, for the {number}th time, which is a longer text")
        scheduler = trace.scheduler()
        scheduler.task(100, 0, 100, "python").events(0, [(0, "in", 100)])
        scheduler.mapped(100, 0, 0x1000, 0x2000, "/lib/x.so").native(0, [(10 * MS, 100, 0x1000)])
    decoded: list[bytes] = []
    really = records._records

    def counted(content: bytes, position: int) -> Iterator[tuple[int, int, int, int]]:
        decoded.append(content)
        return really(content, position)

    names._remembered.looks.clear()
    monkeypatch.setattr(records, "_records", counted)
    monkeypatch.setattr(native, "_codes", None)  # `top` does not say which it was
    looks = [look(tmp_path / "t", 5 * MS, 20 * MS) for _ in range(3)]
    assert len(decoded) == 4  # three packets of the process, one of the scheduler
    assert looks[0] is not None and looks[0] == looks[1] == looks[2]
    assert looks[0].threads[0].name.startswith("a thread's name, for the 999th time")


def with_so_many(path: Path, threads: int) -> None:
    """A thread with the GIL, which has lived beside so many others, each of which was gone after 1 ms."""
    shutil.rmtree(path, ignore_errors=True)
    with TraceWriter(path) as trace:
        process, scheduler = trace.process(pid=100), trace.scheduler()
        end = threads * MS
        process.events([(100, 0, "recording_start"), (100, 0, "gil_acquired"), (100, end, "gil_released")])
        process.name(100, 0, "main").code(1, 0, "work")
        scheduler.task(100, 0, 100, "python").events(0, [(0, "in", 100), (end, "out", 100)])
        for number in range(1, threads):
            tid, begin = 100 + number, number * MS
            process.name(tid, begin, f"thread-{number}").frame(number, begin, 1)
            scheduler.task(tid, begin, 100, "python").exit(tid, begin + MS // 2)


def test_what_is_remembered_does_not_grow_with_the_looks(tmp_path: Path) -> None:
    """Packets, and not each of their lengths; the threads that live, and not all that ever did."""
    names._remembered.looks.clear()
    frames._readers.clear()
    for threads in range(20, 120, 4):
        with_so_many(tmp_path / "t", threads)
        begin, end = (threads - 2) * MS, threads * MS
        second = look(tmp_path / "t", begin, end)
        assert second is not None
        assert [thread.tid for thread in second.threads] == [100, 98 + threads, 99 + threads]
        trace = analysis.load(tmp_path / "t", within=(begin, end))
        assert trace.scheduling is not None
        assert [task.tid for task in trace.scheduling.tasks] == [100, 98 + threads, 99 + threads]
        assert len(trace.frames) == threads - 1
    assert [len(looked.met) for looked in names._remembered.looks.values()] == [1, 1]
    assert len(frames._readers) == 1
    whole = analysis.load(tmp_path / "t").scheduling
    assert whole is not None and len(whole.tasks) == threads


def test_looks_that_cost_much_are_further_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    used = 0
    monkeypatch.setattr(time, "process_time_ns", lambda: used)
    pace = Pace(1000 * MS, 0.03)
    pauses = []
    for cost in (900, *[20] * 6, *[90] * 6, *[900] * 6):
        pace.begin()
        used += cost * MS
        pace.end()
        pauses.append(pace.pause)
    assert pauses[6] == 1000 * MS
    assert pauses[12] == 2000 * MS  # 4.5 % of a CPU
    assert pauses[18] == 5000 * MS


def test_that_a_process_beside_was_killed_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    with Beside("tests.analysis.live.killed", ["any"]) as beside:
        assert beside.said == "ready"
    line = "tests.analysis.live.killed was ended (Bus error): what it had not told of by then is missing\n"
    assert capfd.readouterr().err.endswith(line)

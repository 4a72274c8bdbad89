"""What-if about locks: exact on synthetic traces, with slack on a live program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import analysis
from analysis.commands import cli
from analysis.whatif.lock_report import what_if_locks
from tests.analysis.lock_scenes import MAIN, A, B, process_with_locks
from tests.launcher.support import Launcher
from tests.synthetic import TraceWriter

MS = 1_000_000


def hands_on(path: Path) -> Path:
    """a has lock 1 for 20 ms while b waits; then b has it for 30 ms, and lets main go, which ends at once.

    main  waits for b's end from 2 ms on
    a     takes the lock at 5 ms (seen by b's wait), lets b go at 25 ms, ends at 26 ms
    b     waits 5 – 25 ms, ends its work and lets main go at 55 ms
    """
    with TraceWriter(path) as writer:
        process = process_with_locks(writer)
        process.lock(4, 900, "semaphore", 0x9F00, "", "Thread 9e00 Thread.join")
        process.events(
            [
                (MAIN, 2 * MS, "lock_wait", 0, 4),
                (MAIN, 55 * MS, "lock_acquired", 0, 4),
                (A, 3 * MS, "thread_start"),
                (A, 25 * MS, "lock_wake", 0, 1),
                (A, 25 * MS, "lock_waiter", 0, B),
                (A, 26 * MS, "thread_exit"),
                (B, 3 * MS, "thread_start"),
                (B, 5 * MS, "lock_wait", 0, 1),
                (B, 25 * MS, "lock_acquired", 0, 1),
                (B, 55 * MS, "lock_wake", 0, 4),
                (B, 55 * MS, "lock_waiter", 0, MAIN),
                (B, 55 * MS, "thread_exit"),
            ]
        )
        process.stop(MAIN, 56 * MS)
    return path


def test_what_is_on_the_path_and_shorter_ends_the_program_sooner(tmp_path: Path) -> None:
    """5 ms less in a's hold, and in b's, which is taken to be as long: main ends 10 ms sooner."""
    trace = analysis.load(hands_on(tmp_path / "t"))
    result = what_if_locks(trace, [("Lock of Cache", 0.75)], [])
    assert result.error == 0
    assert result.recorded == 56 * MS - 1_000
    assert result.replayed - result.predicted == 10 * MS
    assert result.replayed_wait - result.predicted_wait == 5 * MS + 10 * MS  # b's, and main's


def test_without_the_lock_nobody_waits_for_it(tmp_path: Path) -> None:
    trace = analysis.load(hands_on(tmp_path / "t"))
    result = what_if_locks(trace, [], ["Lock of *"])
    assert result.replayed - result.predicted == 20 * MS


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(hands_on(tmp_path / "t"))
    assert cli.main(["whatif", path, "--lock-hold-scale", "Lock of Cache=0.5"]) == 0
    assert "is off by +0.0 %" in capsys.readouterr().out
    assert cli.main(["whatif", path, "--without-lock", "Lock of Cache", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["predicted_ns"] == 36 * MS - 1_000
    assert cli.main(["whatif", path, "--without-lock", "Nothing"]) == 2
    assert "no lock 'Nothing' in the trace; there are Lock of Cache" in capsys.readouterr().err
    assert cli.main(["whatif", path, "--without-lock", "Lock*", "--no-gil"]) == 2
    with pytest.raises(SystemExit):
        cli.main(["whatif", path, "--lock-hold-scale", "Lock"])


QUEUE = """
import threading, time
lock = threading.Lock()


def work():
    for _ in range(15):
        with lock:
            time.sleep(0.02)
        time.sleep(0.001)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_a_live_queue_is_as_much_shorter_as_it_would_be(tmp_path: Path) -> None:
    """45 sleeps of 20 ms in a lock of three threads: half as long, and without the lock, it really is so."""

    def recorded(name: str, source: str) -> analysis.Trace:
        (tmp_path / name).mkdir()
        return Launcher(tmp_path / name).record(source, options=("--no-sched", "--no-png")).load()

    trace = recorded("whole", QUEUE)
    whole = trace.end - trace.begin
    changed = {
        "half": (QUEUE.replace("0.02", "0.01"), [("lock", 0.5)], []),
        "none": (QUEUE.replace("with lock:", "if True:"), [], ["lock"]),
    }
    for name, (source, scale, without) in changed.items():
        really = recorded(name, source)
        result = what_if_locks(trace, scale, without)
        assert abs(result.error) < 0.2
        saved = result.replayed - result.predicted
        assert 0.5 < saved / (whole - (really.end - really.begin)) < 2.0

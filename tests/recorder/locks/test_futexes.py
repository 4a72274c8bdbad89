"""An independent witness: strace sees every futex that a thread sleeps on. The trace has the same sleeps."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import analysis
from analysis.measures.lock_names import lock_name
from analysis.model import LockKind
from tests.launcher.support import Launcher

STRACE = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=futex", "-e", "signal=none", "-ttt", "-T"]

CHILD = """
import subprocess, sys
sys.exit(subprocess.run(sys.argv[1:]).returncode)
"""

PROGRAM = """
import threading, time
lock = threading.Lock()


def work():
    for _ in range(8):
        with lock:
            time.sleep(0.005)
        time.sleep(0.001)


threads = [threading.Thread(target=work, name="worker") for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""

SKEW = 2_000_000
"""ns between strace's clock and the trace's: the one is stepped and slewed, the other is not."""

_CALL = re.compile(
    r"(\d+) +(\d+\.\d+) (?:futex\((0x[0-9a-f]+), FUTEX_(\w+).*?|<\.\.\. futex resumed>.*?)"
    r"(<unfinished \.\.\.>|<(\d+\.\d+)>)$"
)


def sleeps(log: str) -> list[tuple[int, int, int, int]]:
    """Return thread, begin and end (ns, UTC) and address of each FUTEX_WAIT."""
    found, begun = [], {}
    for line in log.splitlines():
        call = _CALL.match(line)
        if call is None:
            continue
        tid, address = int(call[1]), call[3]
        if address is not None:
            begun[tid] = (round(float(call[2]) * 1e9), int(address, 16), call[4].startswith("WAIT"))
        if call[6] is not None and tid in begun:
            begin, place, waits = begun.pop(tid)
            if waits:
                found.append((tid, begin, begin + round(float(call[6]) * 1e9), place))
    return found


def test_a_wait_is_a_sleep_that_the_kernel_knows_of(launcher: Launcher, tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("there is no strace")
    if subprocess.run([*STRACE, "-o", "/dev/null", "true"], capture_output=True).returncode != 0:
        pytest.skip("strace may not trace here")
    (tmp_path / "counted.py").write_text(PROGRAM)
    log = tmp_path / "log"
    command = [*STRACE, "-o", str(log), sys.executable, str(tmp_path / "counted.py")]
    trace = launcher.record(CHILD, *command, options=("--no-sched", "--no-png", "--no-samples")).load()
    assert analysis.validate(trace) == []
    process = trace.processes[1]
    workers = {thread.index: thread.tid for thread in trace.threads if thread.name == "worker"}
    lock = next(each for each in trace.locks if lock_name(each) == "Lock `lock`")
    waits = [
        (int(wait["thread"]), int(wait["start"]), int(wait["duration"]))
        for wait in trace.lock_waits
        if int(wait["thread"]) in workers and wait["lock"] == lock.index
    ]
    assert len(waits) >= 8
    slept = [
        (tid, begin - process.utc_offset, end - process.utc_offset)
        for tid, begin, end, address in sleeps(log.read_text())
        if tid in workers.values() and (lock.kind != LockKind.SEMAPHORE or abs(address - lock.address) <= 8)
    ]
    inside = [[sleep for sleep in slept if _within(sleep, workers[wait[0]], *wait[1:])] for wait in waits]
    # Who was to wait, and lost its CPU before it slept, may find the lock free: not every wait has a sleep.
    assert sum(map(bool, inside)) >= 8
    if lock.kind == LockKind.SEMAPHORE:  # and there is no other sleep for it
        assert {sleep for sleeps_of_wait in inside for sleep in sleeps_of_wait} == set(slept)


def _within(sleep: tuple[int, int, int], tid: int, start: int, duration: int) -> bool:
    who, begin, end = sleep
    return who == tid and start - SKEW <= begin <= start + duration and end <= start + duration + SKEW

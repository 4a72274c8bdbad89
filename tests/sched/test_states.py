"""States that say what the CPU did, of real programs, against what the kernel counted itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import analysis
from analysis import State
from analysis.report import reservations
from analysis.report.summary import to_json
from analysis.report.verdict import verdict
from analysis.states import HELD, WITHOUT, total
from tests.launcher.support import Launcher
from tests.sched.support import needs_perf

pytestmark = [
    needs_perf,
    pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here"),
]

ONE_CPU = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"

NATIVE_ON_ONE_CPU = (
    ONE_CPU
    + """
import hashlib, json, threading
data = b"x" * (60 << 20)
waited = {}
def work():
    hashlib.sha256(data).digest()
    # ns on a CPU, ns ready without one, times on a CPU: of this thread, by the kernel
    waited[threading.current_thread().name] = open("/proc/thread-self/schedstat").read().split()
threads = [threading.Thread(target=work, name=f"hash{i}") for i in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps({name: int(told[1]) for name, told in waited.items()}))
"""
)

HOLDER_SLEEPS = """
import ctypes, threading, time
lib = ctypes.PyDLL(None)
lib.usleep.argtypes = [ctypes.c_uint]
stop = threading.Event()
def loop():
    while not stop.is_set():
        time.sleep(0.01)
def task():
    time.sleep(0.1)
    lib.usleep(400_000)
other = threading.Thread(target=loop, name="event loop")
worker = threading.Thread(target=task, name="worker")
other.start(); worker.start(); worker.join(); stop.set(); other.join()
"""

TWO_PROCESSES_ON_ONE_CPU = (
    ONE_CPU
    + """
pid = os.fork()
x = 0
for i in range(4_000_000): x += i
if pid: os.waitpid(pid, 0)
"""
)


def test_preempted_threads_are_ready(launcher: Launcher) -> None:
    """Three threads compute without the GIL on one CPU: two of them want it at each time, and none sleeps."""
    run = launcher.record(NATIVE_ON_ONE_CPU)
    told = json.loads(run.stdout)
    threads = {each.thread.name: each for each in analysis.statistics(run.load()).threads}
    for name, waited in told.items():
        mine = threads[name]
        assert mine.time[State.READY] >= 0.3 * total(mine.time, WITHOUT)
        assert mine.time[State.BLOCKED] <= 0.2 * total(mine.time, WITHOUT)
        assert mine.cpu is not None
        # The kernel's own clock of waiting for a CPU also runs after wake-ups and before
        # its first take of the GIL, and was read before the end.
        known = mine.time[State.READY] + mine.time[State.STALLED]
        assert known <= 1.3 * waited + 30_000_000
        assert known + mine.time[State.BLOCKED] + mine.time[State.WAITING] >= 0.8 * waited - 30_000_000


def test_a_holder_that_sleeps_is_not_stalled(launcher: Launcher) -> None:
    trace = launcher.record(HOLDER_SLEEPS).load()
    figures = analysis.statistics(trace)
    worker = next(each for each in figures.threads if each.thread.name == "worker")
    assert worker.time[State.HOLDING_ASLEEP] >= 390_000_000
    assert worker.time[State.HOLDING_ASLEEP] >= 10 * worker.time[State.STALLED]
    names = {pattern.name: pattern for pattern in analysis.patterns(trace)}
    assert "stalled holder" not in names
    assert "hog" not in names
    assert "task(), program.py:" in names["sleeping holder"].sentence
    assert "worker slept with the GIL" in verdict(figures)


def test_cores_worth_of_python_are_of_cpus(launcher: Launcher) -> None:
    summary = to_json(launcher.record(TWO_PROCESSES_ON_ONE_CPU).load())
    assert summary["python_cores"] <= 1.0
    assert summary["gil_held_share"] >= 1.4  # both hold one, and want the CPU in turns
    assert f"ran {summary['python_cores']:.1f} cores' worth of Python" in summary["verdict"]


NOT_RECORDED = """
import subprocess, sys
work = "import hashlib; hashlib.sha256(b'x' * (8 << 20))"
subprocess.run([sys.executable, "-I", "-c", work])
subprocess.run([sys.executable, "-c", work], env={})
subprocess.run(["true"])
"""

ENDS = """
import os, signal, time
became = os.fork()
if not became:
    os.execv("/bin/true", ["true"])
killed = os.fork()
if not killed:
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(became, 0)
os.waitpid(killed, 0)
time.sleep(0.05)
print(f'{{"program": {os.getpid()}, "became": {became}, "killed": {killed}}}', flush=True)
os.kill(os.getpid(), signal.SIGTERM)
"""

IN_A_NAMESPACE = """
import threading, time
def work():
    for _ in range(300_000): pass
    time.sleep(SECONDS)
threads = [threading.Thread(target=work, name=f"worker{i}") for i in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_a_python_that_was_not_recorded_is_unknown(launcher: Launcher) -> None:
    trace = launcher.record(NOT_RECORDED).load()
    figures = {each.process.pid: each for each in analysis.statistics(trace).processes}
    found = reservations.unrecorded(trace)
    assert len(found) == 2
    for process in found:
        of = figures[process.pid]
        assert total(of.time, WITHOUT) == total(of.time, HELD) == 0 < of.time[State.UNKNOWN]
        assert of.cpu is not None and of.cpu.time > 0
    assert "2 Pythons were not recorded" in reservations.unrecorded_line(trace)


def test_how_processes_ended(launcher: Launcher) -> None:
    run = launcher.record(ENDS, status=-15)
    pids = json.loads(run.stdout)
    ended = {(process.pid, process.ended, process.signal) for process in run.load().processes}
    assert {
        (pids["program"], "killed", 15),
        (pids["became"], "exec", None),
        (pids["became"], "stopped", None),
        (pids["killed"], "exited", None),
    } == ended


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="root makes pid namespaces")
@pytest.mark.parametrize("seconds", [0, 0.5])
def test_a_pid_namespace(launcher: Launcher, seconds: float) -> None:
    """In there it is process 1, and the scheduler knows it by another number.

    Where it lives for a while it can be asked for both; else one process alone can be it.
    """
    program = launcher.write(IN_A_NAMESPACE.replace("SECONDS", repr(seconds)))
    inside: list[str | Path] = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, program]
    if subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"]).returncode:
        pytest.skip("no pid namespaces here")
    run = launcher.run("-q", "--no-png", "-o", "program.trace", "--exec", "--", *inside, status=0)
    trace = run.load()
    (process,) = (each for each in trace.processes if each.pid == 1)
    assert trace.scheduling is not None
    mine = trace.threads[trace.threads_of(process)]
    tasks = [trace.tasks[thread.index] for thread in mine]
    assert min(tasks) >= 0
    if seconds:
        assert [trace.scheduling.tasks[task].inner for task in tasks] == [thread.tid for thread in mine]
    # Whoever takes or drops a GIL has a CPU then.
    figures = {each.thread.index: each for each in analysis.statistics(trace).threads}
    for thread in mine:
        assert figures[thread.index].time[State.RUNNING] > 0
        assert figures[thread.index].time[State.HOLDING] == 0
    assert {"worker0", "worker1"} <= {thread.name for thread in mine}
    assert len(trace.processes) == 2  # and unshare

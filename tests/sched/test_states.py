"""States that say what the CPU did, of real programs, against what the kernel counted itself."""

from __future__ import annotations

import json
import os

import pytest

import analysis
from analysis import State
from analysis.report.summary import to_json
from analysis.report.verdict import verdict
from analysis.states import WITHOUT, total
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
        # The kernel's own clock of waiting for a CPU also runs after wake-ups, and was read before the end.
        known = mine.time[State.READY] + mine.time[State.STALLED]
        assert known <= 1.3 * waited + 30_000_000
        assert known + mine.time[State.BLOCKED] + mine.time[State.WAITING] >= 0.98 * waited - 2_000_000


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

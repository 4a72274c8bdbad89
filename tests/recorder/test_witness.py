"""The recorder against witnesses that know nothing of it: the program's own clocks."""

from __future__ import annotations

import json

import numpy as np

from analysis.model import State
from analysis.reader.format import Event
from tests.launcher.support import Launcher


def test_stamps_are_clock_monotonic(launcher: Launcher, interpreter: str) -> None:
    """Each sleep of the program lies between its own two readings of the clock, all the time."""
    source = """
    import json, time
    readings = []
    for i in range(400):
        before = time.monotonic_ns()
        time.sleep(0.005)
        readings.append((before, time.monotonic_ns()))
    print(json.dumps(readings))
    """
    run = launcher.record(source, options=("--no-sched", "--python", interpreter))
    trace = run.load()
    before, after = np.array(json.loads(run.stdout)).T
    # Whatever its length: who is put off its CPU just before it sleeps sleeps less, up to the same deadline.
    sleeps = trace.gil_intervals[trace.gil_intervals["state"] == State.RELEASED]
    start, end = sleeps["start"], sleeps["start"] + sleeps["duration"]
    # The counter is read without waiting for what comes before: that much earlier it may be.
    slack = 300
    inside = np.searchsorted(start, before - slack)
    assert (end[inside] <= after + slack).all()
    # And not merely somewhere between: the release follows the reading before it closely, nearly always.
    assert np.median(start[inside] - before) < 100_000


def test_python_code_runs_only_while_its_thread_holds(launcher: Launcher, interpreter: str) -> None:
    """CPU time of a thread of pure Python can't be more than its time holding, its native stretches aside."""
    source = """
    import json, threading, time
    used = {}
    def spin():
        begin = time.thread_time_ns()
        for _ in range(3_000_000):
            pass
        used[threading.get_native_id()] = time.thread_time_ns() - begin
    threads = [threading.Thread(target=spin) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(used))
    """
    run = launcher.record(source, options=("--no-sched", "--python", interpreter))
    trace = run.load()
    used = {int(tid): ns for tid, ns in json.loads(run.stdout).items()}
    for thread in trace.threads:
        if thread.tid not in used:
            continue
        mine = trace.gil_intervals[trace.gil_intervals["thread"] == thread.index]
        holding = int(mine["duration"][mine["state"] == State.HOLDING].sum())
        switches = len(mine)
        # Taking and dropping costs CPU time too, without the GIL: some microseconds a switch.
        assert used[thread.tid] <= holding + switches * 100_000


def test_one_thread_holds_at_a_time(launcher: Launcher, interpreter: str) -> None:
    """Also when four threads ask for it every ten microseconds."""
    source = """
    import threading
    def spin():
        for _ in range(1_500_000):
            pass
    threads = [threading.Thread(target=spin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    """
    trace = launcher.record(source, options=("--python", interpreter, "--switch-interval", "0.00001")).load()
    holds = trace.gil_intervals[trace.gil_intervals["state"] == State.HOLDING]
    holds = holds[np.argsort(holds["start"], kind="stable")]
    assert (holds["start"][1:] >= (holds["start"] + holds["duration"])[:-1]).all()
    assert np.count_nonzero(trace.events["kind"] == Event.GIL_ACQUIRED) > 50

"""Deadlocks and what threads have while they wait, live."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

import numpy as np

import analysis
from analysis import Trace
from analysis.measures.lock_names import lock_name, place_of
from analysis.why.chains.never_ended import knots, sentence
from tests.launcher.support import Launcher
from tests.launcher.test_signals import started

STUCK = """
import os, threading

cache, log = threading.Lock(), threading.RLock()
both, met = threading.Barrier(2, lambda: met.append(True)), []


def put():
    with cache:
        both.wait()
        with log:
            pass


def write():
    with log:
        both.wait()
        with cache:
            pass


threads = [threading.Thread(target=each, name=each.__name__, daemon=True) for each in (put, write)]
for thread in threads:
    thread.start()
"""


def deadlock(trace: Trace) -> str:
    assert analysis.validate(trace) == []
    found = knots(trace)
    assert found[0].cycle
    assert all(wait.sure for wait in found[0].waits)
    return sentence(trace, found[0])


def check_both_lines(said: str) -> None:
    assert (
        "put waits for RLock `log` in put(), program.py:11, which write has in write(), program.py:18" in said
    )
    assert (
        "write waits for Lock `cache` in write(), program.py:18, which put has in put(), program.py:11"
        in said
    )


MEET = """
import time
while not met:
    time.sleep(0.01)
"""


def test_a_deadlock_is_said_with_both_lines(launcher: Launcher, interpreter: str) -> None:
    source = STUCK + MEET + "\nfor thread in threads:\n    thread.join(1.0)\n"
    options = ("--no-sched", "--no-png", *(("--python", interpreter) if interpreter else ()))
    run = launcher.record(source, options=options)
    trace = run.load()
    check_both_lines(deadlock(trace))
    assert "deadlock" in {pattern.name for pattern in analysis.patterns(trace)}


def test_ctrl_c_on_a_deadlocked_program_leaves_a_trace_that_says_it(launcher: Launcher) -> None:
    """Threads that wait for nothing else are stuck; then the signal comes."""
    source = (
        STUCK + MEET + ("\ntime.sleep(0.5)\nprint('ready', os.getpid(), flush=True)\nthreads[0].join()\n")
    )
    with started(launcher, source, "--no-sched") as (process, pid):
        os.kill(pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        if (
            process.poll() is None
        ):  # it came just before the wait's system call, and Python, traced or not, waits on
            os.kill(pid, signal.SIGINT)
        process.wait(60)
    check_both_lines(deadlock(analysis.load(launcher.directory / "program.trace")))


LETS_GO = """
import threading, time

first, second, third = threading.Lock(), threading.Lock(), threading.Lock()


def main():
    with first:
        with third:
            pass
        second.acquire(timeout=0.02)
    with third:
        pass
    second.acquire(timeout=0.03)
    try:
        second.acquire(timeout=0.04)
    except ValueError:
        pass
    for each in (first, third):
        second.acquire(timeout=0.05)


second.acquire()
main()
"""


def test_what_was_let_go_is_not_held(launcher: Launcher, interpreter: str) -> None:
    options = ("--no-sched", "--no-png", *(("--python", interpreter) if interpreter else ()))
    trace = launcher.record(LETS_GO, options=options).load()
    assert analysis.validate(trace) == []
    holds, waits = trace.lock_holds, trace.lock_waits
    by_main = np.flatnonzero(["main()" in place_of(trace, frame) for frame in waits["frame"]])
    assert len(by_main) >= 5
    assert holds["wait"].tolist() == [by_main[np.argmin(waits["start"][by_main])]]  # the first: it has one
    assert lock_name(trace.locks[holds["lock"][0]]) == "Lock `first`"
    assert place_of(trace, int(holds["frame"][0])) == "main(), program.py:11"

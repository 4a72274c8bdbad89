"""Live programs that show each pattern, and some that show none."""

from __future__ import annotations

import os
import time

import pytest

import analysis
from tests.launcher.support import Launcher
from tests.sched.support import needs_perf

START = """
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
CONVOY = f"""
import os, threading, time
null, done = os.open(os.devnull, os.O_WRONLY), []
def io():
    for _ in range(30):
        time.sleep(0.001); os.write(null, b"x")
    done.append(True)
def cpu():
    while not done: pass
threads = [threading.Thread(target=call, name=call.__name__) for call in (cpu, io)]
{START}
"""
THRASHING = f"""
import sys, threading
sys.setswitchinterval(1e-5)
def spin():
    n = 600_000
    while n: n -= 1
threads = [threading.Thread(target=spin) for _ in range(4)]
{START}
"""
HOG = f"""
import random, threading
data, done = [random.random() for _ in range(400_000)], []
def sorts():
    for _ in range(3): sorted(data)
    done.append(True)
def wants():
    while not done: sum(range(100))
threads = [threading.Thread(target=call, name=call.__name__) for call in (sorts, wants)]
{START}
"""
STARVATION = f"""
import random, threading, time
data, done = [random.random() for _ in range(200_000)], []
def hog():
    while not done: sorted(data)
def victim():
    end = time.thread_time() + 0.03
    while time.thread_time() < end: pass
    done.append(True)
threads = [threading.Thread(target=hog) for _ in range(3)] + [threading.Thread(target=victim, name="victim")]
{START}
"""
STALLED = f"""
import os, threading, time
os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}})
strangers = []
for _ in range(2):
    strangers.append(os.fork())
    if not strangers[-1]:
        end = time.time() + 1
        while time.time() < end: pass
        os._exit(0)
def spin():
    end = time.thread_time() + 0.15
    while time.thread_time() < end: sum(range(300))
threads = [threading.Thread(target=spin) for _ in range(2)]
{START}
for stranger in strangers: os.waitpid(stranger, 0)
"""
QUIET = f"""
import threading, time
def sleeps():
    for _ in range(20): time.sleep(0.01)
threads = [threading.Thread(target=sleeps) for _ in range(3)]
{START}
"""


def seen(launcher: Launcher, source: str, *options: str) -> dict[str, set[str]]:
    """Return the patterns that were found, and the threads that each is about."""
    trace = launcher.record(source, options=("--force", *options)).load()
    found: dict[str, set[str]] = {}
    for pattern in analysis.patterns(trace):
        assert 0 <= pattern.score <= 1
        assert trace.begin <= pattern.begin <= pattern.end <= trace.end
        found.setdefault(pattern.name, set()).update(trace.threads[at].name for at in pattern.threads)
    return found


def test_convoy(launcher: Launcher) -> None:
    assert "io" in seen(launcher, CONVOY)["convoy"]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="who waits needs a CPU to be able to ask")
def test_thrashing(launcher: Launcher) -> None:
    """With all but one CPU busy elsewhere threads take turns as the scheduler lets them: then later again.

    How many of the four are in it together is the scheduler's matter too.
    """
    for attempt in range(40):
        time.sleep(attempt / 10)
        if len(seen(launcher, THRASHING).get("thrashing", set())) >= 2:
            return
    pytest.fail("no two threads thrash")


def test_hog(launcher: Launcher) -> None:
    trace = launcher.record(HOG).load()
    (hog,) = (pattern for pattern in analysis.patterns(trace) if pattern.name == "hog")
    assert [trace.threads[thread].name for thread in hog.threads] == ["sorts"]
    assert "sorts(), program.py:" in hog.sentence


def test_starvation(launcher: Launcher) -> None:
    """Who gets the GIL next is a matter of chance: in one of a few runs the one thread comes off badly."""
    assert any("starvation" in seen(launcher, STARVATION) for _ in range(5))


@needs_perf
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_stalled_holder(launcher: Launcher) -> None:
    assert "stalled holder" in seen(launcher, STALLED)


def test_no_contention(launcher: Launcher) -> None:
    """A busy machine may make somebody wait a little: still no pattern has a name."""
    assert set(seen(launcher, QUIET)) <= {"no contention", "stalled holder"}


def test_one_thread(launcher: Launcher) -> None:
    assert seen(launcher, "print(1)") == {}

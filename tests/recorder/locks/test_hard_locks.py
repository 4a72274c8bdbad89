"""Locks in bad circumstances, live: very many, dead ones, signals, a thread that is cancelled in its wait."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import analysis
from analysis import Trace
from analysis.model import LockOutcome
from tests.launcher.support import Launcher


def recorded(launcher: Launcher, source: str, interpreter: str = "") -> Trace:
    options = ("--no-sched", "--no-png", *(("--python", interpreter) if interpreter else ()))
    trace = launcher.record(source, options=options).load()
    assert analysis.validate(trace) == []
    return trace


MANY = """
import threading
locks = [threading.Lock() for _ in range(10_000)]
for lock in locks:
    lock.acquire()
    assert not lock.acquire(timeout=0.00001)
"""


def test_ten_thousand_locks(launcher: Launcher) -> None:
    """Each is told apart, and has its wait."""
    trace = recorded(launcher, MANY)
    mine = trace.lock_waits[trace.lock_waits["outcome"] == LockOutcome.TIMEOUT]
    assert len(mine) == 10_000
    assert len({int(lock) for lock in mine["lock"] if lock >= 0}) == 10_000


AT_ONE_PLACE = """
import threading
busy, held = ([threading.Lock(), threading.Lock()] for _ in range(2))


def wait(lock):
    assert not lock.acquire(timeout=0.001)


def has_one():
    for n in range(12):
        with held[n % 2]:
            wait(busy[0])


for lock in busy:
    lock.acquire()
for n in range(12):
    wait(busy[n % 2])
has_one()
"""


def test_waits_at_one_place_for_different_locks(launcher: Launcher, interpreter: str) -> None:
    """What a thread remembers of a wait is of that lock, and of no wait in which it has something."""
    trace = recorded(launcher, AT_ONE_PLACE, interpreter)
    waits, holds = trace.lock_waits, trace.lock_holds
    rows = np.flatnonzero(waits["outcome"] == LockOutcome.TIMEOUT)
    first, second = waits["lock"][rows[:2]].tolist()
    assert first != second
    assert waits["lock"][rows].tolist() == [first, second] * 6 + [first] * 12
    assert len(set(waits["frame"][rows[:12]].tolist())) == len(set(waits["frame"][rows[12:]].tolist())) == 1
    assert waits["frame"][rows[0]] != waits["frame"][rows[12]]
    assert holds["wait"].tolist() == rows[12:].tolist()
    a, b = holds["lock"][:2].tolist()
    assert len({first, second, a, b}) == 4
    assert holds["lock"].tolist() == [a, b] * 6


ONE_AFTER_ANOTHER = """
import threading
for _ in range(50):
    lock = threading.Lock()
    lock.acquire()
    assert not lock.acquire(timeout=0.001)
    del lock
"""


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="the end of a lock is no call there")
def test_a_lock_at_the_address_of_a_dead_one_is_another(launcher: Launcher) -> None:
    trace = recorded(launcher, ONE_AFTER_ANOTHER)
    mine = trace.lock_waits[trace.lock_waits["outcome"] == LockOutcome.TIMEOUT]
    assert len(mine) == len(set(mine["lock"].tolist())) == 50


SIGNALS = """
import signal, threading
seen = []
signal.signal(signal.SIGALRM, lambda number, frame: seen.append(number))
signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
lock = threading.Lock()
lock.acquire()
while len(seen) < 3:
    assert not lock.acquire(timeout=0.1)
signal.setitimer(signal.ITIMER_REAL, 0)
assert not lock.acquire(timeout=0.02)  # the last signal may have come when time was over
"""


def test_signals_in_a_wait(launcher: Launcher, interpreter: str) -> None:
    """The interpreter gets its EINTR, runs the handler and waits on."""
    trace = recorded(launcher, SIGNALS, interpreter)
    outcomes = trace.lock_waits["outcome"].tolist()
    assert outcomes.count(LockOutcome.INTERRUPTED) >= 1
    assert outcomes.count(LockOutcome.TIMEOUT) >= 1


CANCELLED = """
import ctypes, os, threading, time
lock = threading.Lock()
lock.acquire()
thread = threading.Thread(target=lock.acquire, daemon=True)
thread.start()
asleep = 0
while asleep < 10:  # the GIL is free meanwhile, so what it sleeps for is the lock
    time.sleep(0.05)
    with open(f"/proc/self/task/{thread.native_id}/stat") as file:
        asleep = asleep + 1 if file.read().rpartition(")")[2].split()[0] == "S" else 0
cancel = ctypes.CDLL(None).pthread_cancel
cancel.argtypes = [ctypes.c_ulong]
assert cancel(thread.ident) == 0
time.sleep(0.5)
print("alive", flush=True)
os._exit(0)
"""


def test_a_thread_that_is_cancelled_in_its_wait(launcher: Launcher) -> None:
    """Its wait ends with it; nobody else notices."""
    trace = recorded(launcher, CANCELLED)
    ends = [wait["outcome"] for wait in trace.lock_waits if wait["thread"] != 0]
    assert LockOutcome.INTERRUPTED in ends

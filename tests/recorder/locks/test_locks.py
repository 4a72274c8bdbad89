"""Python's other locks, live: what a program measures of its own waits is what the trace says of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import analysis
from analysis import Trace
from analysis.measures.locks import lock_figures
from analysis.measures.stop_reasons import reason_of
from analysis.model import LockKind, LockOutcome
from tests.launcher.support import Launcher, free_threaded

WAITS = """
import json, queue, sys, threading, time

lock, rlock, semaphore, event = threading.Lock(), threading.RLock(), threading.Semaphore(1), threading.Event()
waited, timed_out, arrived = {}, [], []


def timed(name, acquire):
    begin = time.perf_counter()
    acquire()
    waited.setdefault(threading.get_native_id(), []).append((name, time.perf_counter() - begin))


def worker():
    for _ in range(6):
        timed("lock", lock.acquire); time.sleep(0.004); lock.release()
        timed("rlock", rlock.acquire); time.sleep(0.004); rlock.release()
    arrived.append(1)
    timed("event", event.wait)


def patient():
    mine = threading.Lock()
    mine.acquire()
    begin = time.perf_counter()
    assert not mine.acquire(timeout=0.05)
    timed_out.append(time.perf_counter() - begin)


threads = [threading.Thread(target=worker) for _ in range(3)] + [threading.Thread(target=patient)]
for thread in threads:
    thread.start()
while len(arrived) < 3:
    time.sleep(0.01)
time.sleep(0.1)
event.set()
for thread in threads:
    thread.join()
print(json.dumps({"waited": waited, "timed_out": timed_out}))
"""

STOPS = """
import gc, json, os, threading, time, warnings

done, pauses, began = [], [], []


def seen(phase, info):
    if phase == "start":
        began.append(time.monotonic_ns())
    elif began:
        pauses.append((began.pop(), time.monotonic_ns()))


def work():
    held = []
    while not done:
        held.append([])
        if len(held) > 10_000:
            held.clear()


gc.callbacks.append(seen)
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for _ in range(20):
    gc.collect()
    time.sleep(0.005)
gc.callbacks.clear()
warnings.simplefilter("ignore")  # of forks beside threads
for _ in range(5):
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
done.append(1)
for thread in threads:
    thread.join()
print(json.dumps(pauses))
"""

GONE = """
import json, threading, time

lock, done, spans = threading.Lock(), [], []


def wants():
    while not done:
        with lock:
            pass


def run():
    for i in range(150):
        source = "\\n" * (i % 50) + "lock.acquire(); time.sleep(0.001); lock.release()"
        code = compile(source, f"file {i}", "exec")
        begin = time.monotonic_ns()
        exec(code)
        del code
        spans.append((begin, time.monotonic_ns()))


thread = threading.Thread(target=wants)
thread.start()
run()
done.append(1)
thread.join()
print(json.dumps(spans))
"""


def recorded(launcher: Launcher, source: str, python: str, *options: str) -> tuple[Trace, object]:
    options = (*options, "--no-png", *(("--python", python) if python else ()))
    run = launcher.record(source, options=options)
    return run.load(), json.loads(run.stdout.splitlines()[-1])


def test_waits_are_those_that_the_program_timed(launcher: Launcher, interpreter: str) -> None:
    trace, said = recorded(launcher, WAITS, interpreter, "--no-sched")
    assert isinstance(said, dict)
    assert analysis.validate(trace) == []
    waits = trace.lock_waits
    for tid, timed in said["waited"].items():
        thread = next(each for each in trace.threads if each.tid == int(tid))
        mine = waits[(waits["thread"] == thread.index) & ~waits["stopped"]]
        by_program = sum(seconds for _, seconds in timed) * 1e9
        in_it = [_is_in(trace, int(frame), "timed") for frame in mine["frame"]]
        # Every wait that it timed is at least as long as what is in it; and the rest is not a wait.
        assert int(mine["duration"][in_it].sum()) <= by_program
        assert int(mine["duration"].sum()) >= 0.8 * by_program
    timeouts = waits[waits["outcome"] == LockOutcome.TIMEOUT]
    assert 50_000_000 <= timeouts["duration"].max() <= said["timed_out"][0] * 1e9

    contended = waits[(waits["outcome"] == LockOutcome.ACQUIRED) & (waits["frame"] >= 0)]
    workers = [_function(trace, frame) == "timed" for frame in contended["frame"]]
    assert sum(workers) >= 10
    assert (contended["wake"][workers] >= 0).mean() > 0.9
    assert {_function(trace, frame) for frame in contended["waker_frame"][workers]} <= {"worker", ""}
    names = {each.name for each in lock_figures(trace).locks}
    assert "Event" in names
    assert {"Lock `lock`", "RLock `rlock`"} & names


def test_whoever_lets_go_is_in_no_code_that_is_gone(launcher: Launcher, interpreter: str) -> None:
    """A code object at a time, each where the one before it was, with the same instructions."""
    trace, said = recorded(launcher, GONE, interpreter, "--no-sched")
    assert isinstance(said, list)
    seen = 0
    for wake in trace.lock_wakes[trace.lock_wakes["frame"] >= 0]:
        _, code, line = trace.frames[wake["frame"]]
        if trace.codes[code].file.startswith("file "):
            number = int(trace.codes[code].file[5:])
            begin, end = said[number]
            assert begin <= wake["time"] <= end
            assert line == number % 50 + 1
            seen += 1
    assert seen > 0


def test_without_locks_there_are_none(launcher: Launcher) -> None:
    trace, _ = recorded(launcher, WAITS, "", "--no-sched", "--no-locks")
    assert len(trace.lock_waits) == 0
    assert trace.processes[0].environment["locks"] == "off"


def test_stops_of_the_world_are_the_collections(launcher: Launcher, interpreters: list[str]) -> None:
    python = free_threaded(interpreters)
    if python is None:
        pytest.skip("there is no free-threaded Python")
    trace, said = recorded(launcher, STOPS, python, "--no-sched")
    assert isinstance(said, list)
    assert analysis.validate(trace) == []
    assert trace.processes[0].environment["without_gil"] == 1
    assert any(lock.kind == LockKind.STATE for lock in trace.locks)
    pauses = trace.pauses
    begin, end = pauses["start"], pauses["start"] + pauses["duration"]
    # Each collection stops the world at least once; a thread may be asleep, and stands without a call.
    within = [np.any((begin < until) & (end > since)) for since, until in said]
    assert np.mean(within) > 0.3
    by_main = pauses[pauses["thread"] == trace.threads[0].index]
    assert len(by_main) > 0.3 * len(said)
    assert (by_main["asked"] <= by_main["start"]).all()
    assert (by_main["asked"] <= by_main["stopped"]).all()
    # What the interpreter itself calls a collection is told to be one, and nothing else is; forks are forks.
    middle = by_main["start"] + by_main["duration"] // 2
    collects = [any(since < at < until for since, until in said) for at in middle]
    reasons = [reason_of(trace, reason) for reason in by_main["reason"]]
    of_collections = {reason for reason, inside in zip(reasons, collects, strict=True) if inside}
    assert "a collection" in of_collections
    assert of_collections <= {"a collection", ""}
    assert "a fork" in {reason for reason, inside in zip(reasons, collects, strict=True) if not inside}


def _is_in(trace: Trace, frame: int, function: str) -> bool:
    """Whether a function of this name, or one that it called, is in a frame."""
    while frame >= 0 and _function(trace, frame) != function:
        frame = int(trace.frames["caller"][frame])
    return frame >= 0


def _function(trace: Trace, frame: int) -> str:
    return trace.codes[trace.frames["code"][frame]].name if frame >= 0 else ""


def test_a_fork_and_a_cancelled_wait(launcher: Launcher, tmp_path: Path) -> None:
    """A child has no waiters of its parent's, and goes on with its own."""
    source = """
import os, threading, time
lock = threading.Lock()
lock.acquire()
threading.Thread(target=lock.acquire, daemon=True).start()
time.sleep(0.05)
pid = os.fork()
if pid == 0:
    mine = threading.Lock()
    mine.acquire()
    mine.acquire(timeout=0.02)
    os._exit(0)
os.waitpid(pid, 0)
lock.release()
time.sleep(0.05)
print("[]")
"""
    trace, _ = recorded(launcher, source, "", "--no-sched")
    assert len(trace.processes) == 2
    assert analysis.validate(trace) == []
    child = [wait for wait in trace.lock_waits if trace.threads[wait["thread"]].process == 1]
    assert [wait["outcome"] for wait in child] == [LockOutcome.TIMEOUT]
    parent = trace.lock_waits[trace.lock_waits["duration"] > 40_000_000]
    assert (parent["wake"] >= 0).any()

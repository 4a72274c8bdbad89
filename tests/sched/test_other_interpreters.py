"""Any interpreter, as the scheduler sees it: whose threads run at once?"""

from __future__ import annotations

import os
import shutil
from itertools import pairwise

import pytest

from tests.launcher.support import Launcher, free_threaded
from tests.sched.support import Intervals, execute, needs_perf, sched_of

pytestmark = [
    needs_perf,
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one CPU only: no threads run at once"),
]

COUNTDOWN = """
import sys, threading
def count_down(n):
    while n > 0:
        n -= 1
threads = [threading.Thread(target=count_down, args=(int(sys.argv[1]),)) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def both(first: Intervals, second: Intervals) -> int:
    """Nanoseconds in which both threads are on a CPU."""
    edges = [
        (time, step)
        for rows in (first, second)
        for begin, end, _ in rows
        for time, step in ((begin, 1), (end, -1))
    ]
    edges.sort()
    running, total = 0, 0
    for (time, step), (following, _) in pairwise(edges):
        running += step
        total += (following - time) * (running == 2)
    return total


def share_at_once(launcher: Launcher, interpreter: str, count: int) -> float:
    """How much of the less busy counting thread's time on a CPU the other one had one too."""
    path = shutil.which(interpreter)
    if path is None:
        pytest.skip(f"{interpreter} is not installed (Debian: {interpreter})")
    launcher.write(COUNTDOWN)
    recorded = sched_of(execute(launcher, path, "program.py", str(count), options=("--force",)))
    mains = {task.tid for task in recorded.tasks if task.tid == task.pid}
    names = {task.tid: task.comm for task in recorded.tasks if task.comm is not None}
    workers = recorded.by_thread().keys() - mains
    if interpreter == "jython":  # the other threads of a Java machine have names of their own
        workers = {tid for tid in workers if names[tid].startswith("Thread-")}
    on_cpu = recorded.on_cpu()
    first, second = sorted(workers, key=lambda tid: -on_cpu[tid])[:2]
    rows = recorded.by_thread()
    return both(rows[first], rows[second]) / min(on_cpu[first], on_cpu[second])


def test_pypys_threads_take_turns(launcher: Launcher) -> None:
    # Whoever wakes up for the lock has a CPU for a moment, longer on a busy machine: hence the tries.
    assert min(share_at_once(launcher, "pypy3", 50_000_000) for _ in range(3)) < 0.3


def test_jythons_threads_run_at_once(launcher: Launcher) -> None:
    # How much depends on what else wants the CPUs; taking turns would be nearly nothing at all.
    assert max(share_at_once(launcher, "jython", 15_000_000) for _ in range(3)) > 0.1


def test_threads_of_a_free_threaded_python_have_names(launcher: Launcher, interpreters: list[str]) -> None:
    """From the kernel: there is no GIL whose taker could be told."""
    python = free_threaded(interpreters)
    if python is None:
        pytest.skip("no free-threaded interpreter here (GILSCOPE_PYTHONS names some)")
    source = """
    import threading, time
    threads = [threading.Thread(target=time.sleep, args=(0.01,), name=f"worker {n}") for n in range(2)]
    for thread in threads: thread.start()
    threads[1].join()
    """
    run = launcher.record(source, options=("--python", python))
    names = [thread.name for thread in run.load().threads]
    assert sorted(names)[-2:] == ["worker 0", "worker 1"]
    assert names[0].startswith("python")

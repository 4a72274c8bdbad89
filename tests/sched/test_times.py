"""How long each thread was on a CPU: what the recording says and what the kernel's own clocks say."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

import pytest

from tests.launcher.support import Launcher
from tests.sched.support import babeltrace, execute, needs_perf, printed, sched_of

pytestmark = needs_perf

CLOCKS = """
import json, os, threading, time
found = {}
def done():
    found[str(threading.get_native_id())] = time.clock_gettime_ns(time.CLOCK_THREAD_CPUTIME_ID)
def busy():
    end = time.thread_time() + 0.15
    while time.thread_time() < end:
        sum(range(1000))
    done()
def sleepy():
    for _ in range(30):
        time.sleep(0.002)
    done()
def mixed():
    for _ in range(30):
        time.sleep(0.001)
        sum(range(20000))
    done()
threads = [threading.Thread(target=target) for target in (busy, sleepy, mixed, busy, sleepy)]
for thread in threads: thread.start()
for thread in threads: thread.join()
busy()
print(json.dumps(found), flush=True)
os._exit(0)  # the interpreter's end would count, and come after the clock was read
"""


USAGE = """
import json, os, resource
def work():
    for _ in range(300):
        sum(range(10000))
for _ in range(2):
    if os.fork() == 0:
        work()
        os._exit(0)
work()
os.wait(); os.wait()
usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps({"ns": int(sum(u.ru_utime + u.ru_stime for u in usages) * 1e9)}), flush=True)
os._exit(0)
"""
ATTEMPTS = 6  # on a virtual machine the clocks leave out what the host took meanwhile; a recording can't
TICK = 10_000_000  # what the host took is told in hundredths of a second: less than one is told as nothing


def stolen() -> int:
    """What a host took, in ns, as far as it is told: in whole ticks."""
    return int(Path("/proc/stat").read_text().split()[8]) * TICK


def agree(recorded: int, clock: int, taken: int, processes: int = 1) -> bool:
    """Within 2 % or 1 ms, and what the host took may be missing from the clock.

    A clock also counts the CPU's way out of idleness, before the thread is there: some 20 us a wake-up on a
    virtual machine. `test_witness` compares without that.
    """
    allowed = max(0.02 * clock, processes * 1_000_000)
    return -allowed <= recorded - clock <= allowed + taken + TICK


def test_threads_agree_with_their_clocks(launcher: Launcher) -> None:
    for _ in range(ATTEMPTS):
        before = stolen()
        run = launcher.record(CLOCKS, options=("--force",))
        taken = stolen() - before
        recorded = sched_of(run)
        on_cpu = recorded.on_cpu()
        clocks = {int(tid): clock for tid, clock in printed(run).items()}
        assert len(clocks) == 6
        wrong = {tid: (on_cpu[tid], at) for tid, at in clocks.items() if not agree(on_cpu[tid], at, taken)}
        if not wrong:
            return
    raise AssertionError(wrong)


def test_a_run_agrees_with_getrusage(launcher: Launcher) -> None:
    """All of it: from the exec, over several processes, to the last exit.

    Without stacks: the kernel bills a CPU's way out of idleness to the thread that it wakes up for, before
    that is switched in, and the sampler wakes up a thousand times a second.
    """
    for _ in range(ATTEMPTS):
        before = stolen()
        run = launcher.record(USAGE, options=("--force", "--no-stacks"))
        taken = stolen() - before
        rows = itertools.chain.from_iterable(sched_of(run).by_cpu().values())
        total, used = sum(end - begin for begin, end, _ in rows), printed(run)["ns"]
        if agree(total, used, taken, processes=3):
            return
    raise AssertionError((total, used))


@pytest.mark.skipif(shutil.which("babeltrace2") is None, reason="babeltrace2 is not installed")
def test_others_read_it(launcher: Launcher) -> None:
    run = launcher.record(CLOCKS)
    recorded = sched_of(run)
    lines = [line for line in babeltrace(recorded.path) if " native_" not in line]
    assert len(lines) == sum(map(len, recorded.streams.values())) + recorded.named
    assert sum(" sched_in: " in line for line in lines) == sum(map(len, recorded.by_cpu().values()))
    assert babeltrace(run.directory / "program.trace")


def test_begins_with_the_exec_and_ends_with_the_exit(launcher: Launcher) -> None:
    run = execute(launcher, "sh", "-c", "exit 0")
    recorded = sched_of(run)
    first, *_, last = recorded.tasks
    assert (first.comm, last.comm) == ("sh", None)
    begin = min(int(events["timestamp"][0]) for events in recorded.streams.values())
    end = max(int(events["timestamp"][-1]) for events in recorded.streams.values())
    assert (first.time, last.time) == (begin, end)
    environment = recorded.environment
    assert environment["kind"] == "sched"
    assert environment["recording_start"] <= begin <= end <= environment["recording_stop"]
    assert environment["argv"] == '["sh", "-c", "exit 0"]'
    assert first.ppid == environment["pid"]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one CPU only")
def test_affinity_changes(launcher: Launcher) -> None:
    """While a thread may run on one CPU only, it is seen on that one."""
    run = launcher.record(
        """
        import json, os, time
        cpus = sorted(os.sched_getaffinity(0))[:2]
        found = {}
        for turn in range(10):
            os.sched_setaffinity(0, {cpus[turn % 2]})
            found[str(time.monotonic_ns())] = cpus[turn % 2]
            time.sleep(0.002)
            sum(range(20000))
            found[str(time.monotonic_ns())] = -1
        print(json.dumps(found))
        """
    )
    ((_, rows),) = sched_of(run).by_thread().items()
    turns = [(int(time), cpu) for time, cpu in printed(run).items()]
    for (begin, cpu), (end, _) in zip(turns[::2], turns[1::2], strict=True):
        assert {where for since, until, where in rows if since < end and until > begin} == {cpu}


def test_pinned_to_one_cpu(launcher: Launcher) -> None:
    cpu = min(os.sched_getaffinity(0))
    script = "for i in 1 2 3; do (seq 200000 >/dev/null) & done; wait"
    recorded = sched_of(execute(launcher, "taskset", "-c", str(cpu), "sh", "-c", script))
    of_children = set().union(*(recorded.tids(name) for name in recorded.names - {"taskset"}))
    rows = [row for row in recorded.by_cpu()[cpu] if row[2] in of_children]
    assert {tid for _, _, tid in rows} == of_children
    for other in recorded.streams.keys() - {cpu}:
        assert {tid for _, _, tid in recorded.by_cpu()[other]} <= recorded.tids("taskset")

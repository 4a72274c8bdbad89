"""Threads of every kind, recorded on real interpreters."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from analysis.reader.format import Event
from tests.launcher.support import Launcher

HERE = Path(__file__).parent


def compiled(name: str, directory: Path) -> Path:
    library = directory / f"{name}.so"
    command = [
        "gcc",
        "-shared",
        "-fPIC",
        "-O1",
        str(HERE / f"{name}.c"),
        "-o",
        str(library),
        "-lpthread",
        "-ldl",
    ]
    subprocess.run(command, check=True)
    return library


def test_many_one_after_another_share_few_streams(launcher: Launcher, interpreter: str) -> None:
    source = """
    import threading
    for i in range(10_000):
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
    """
    run = launcher.record(source, options=("--python", interpreter))
    assert len(run.load().threads) == 10_001
    # join() returns when the interpreter is done with a thread; it may end in the OS a moment later.
    assert len(list(run.directory.glob("program.trace/*/gil_*"))) < 20


def test_five_hundred_at_once(launcher: Launcher, interpreter: str) -> None:
    source = """
    import threading
    barrier = threading.Barrier(501)
    threads = [threading.Thread(target=barrier.wait) for _ in range(500)]
    for thread in threads:
        thread.start()
    barrier.wait()
    for thread in threads:
        thread.join()
    """
    trace = launcher.record(source, options=("--python", interpreter)).load()
    assert len(trace.threads) == 501
    # All lived at once: the last began before the first ended.
    assert max(thread.begin for thread in trace.threads) < min(thread.end for thread in trace.threads)


def test_threads_of_c_at_odd_moments(launcher: Launcher, interpreter: str) -> None:
    library = compiled("odd_threads", launcher.directory)
    source = f"import ctypes; ctypes.CDLL({str(library)!r}).odd_threads(50)"
    trace = launcher.record(source, options=("--python", interpreter)).load()
    acquires = np.count_nonzero(trace.events["kind"][trace.events["thread"] > 0] == Event.GIL_ACQUIRED)
    assert acquires >= 50 + 2 * 50  # once in the body; in the destructor too


def test_a_preloaded_interposer_goes_on(launcher: Launcher, interpreter: str) -> None:
    library = compiled("preloaded", launcher.directory)
    # Set by a first Python for a second: the launcher itself need not run under it.
    source = f"""
    import os, sys, threading
    if "LD_PRELOAD" not in os.environ:
        os.environ["LD_PRELOAD"] = {str(library)!r}
        os.execv(sys.executable, [sys.executable, *sys.argv])
    threads = [threading.Thread(target=sum, args=(range(3_000_000),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    """
    run = launcher.record(source, options=("--python", interpreter))
    trace = run.load()
    preloaded = trace.processes[-1]
    threads = [thread.index for thread in trace.threads if thread.process == preloaded.index]
    kinds = trace.events["kind"][np.isin(trace.events["thread"], threads)]
    signals = np.count_nonzero((kinds == Event.GIL_ACQUIRED) | (kinds == Event.GIL_RELEASED))
    assert int(run.stdout.split()[1]) >= signals - 1 > 0  # the first acquire is the recording's own beginning


def test_signals_in_the_middle(launcher: Launcher, interpreter: str) -> None:
    source = """
    import signal, threading
    count = 0
    def tick(number, frame):
        global count
        count += 1
    signal.signal(signal.SIGALRM, tick)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    def spin():
        for _ in range(2_000_000):
            pass
    threads = [threading.Thread(target=spin) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert count > 10
    """
    trace = launcher.record(source, options=("--python", interpreter, "--switch-interval", "0.0002")).load()
    assert len(trace.threads) == 4


OWN_GILS = """
import threading
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

try:
    made = [interpreters.create("isolated") for _ in range(2)]
except TypeError:
    made = [interpreters.create(isolated=True) for _ in range(2)]

work = '''
for _ in range(1_000_000):
    pass
'''
threads = [threading.Thread(target=interpreters.run_string, args=(made[i % 2], work)) for i in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for interpreter in made:
    interpreters.destroy(interpreter)
"""


def version(interpreter: str) -> tuple[int, int]:
    code = "import sys; print(*sys.version_info[:2])"
    done = subprocess.run([interpreter, "-c", code], capture_output=True, text=True, check=True)
    major, minor = done.stdout.split()
    return int(major), int(minor)


def test_subinterpreters_with_a_gil_of_their_own(launcher: Launcher, interpreter: str) -> None:
    if version(interpreter) < (3, 12):
        pytest.skip("a GIL for each interpreter came with 3.12")
    trace = launcher.record(OWN_GILS, options=("--python", interpreter)).load()
    assert [gil.number for gil in trace.gils] == [0, 1, 2]
    holds = trace.gil_intervals[trace.gil_intervals["state"] == 3]
    held = [int(holds["duration"][holds["gil"] == gil.index].sum()) for gil in trace.gils]
    assert min(held[1:]) > 5_000_000  # each ran its loop under its own


SPIN = """
import sys, threading, time
if len(sys.argv) > 1:
    sys.setswitchinterval(float(sys.argv[1]))
end = time.monotonic() + 0.6
def spin():
    while time.monotonic() < end:
        pass
threads = [threading.Thread(target=spin) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


@pytest.mark.parametrize("interval", [0.02, 0.005, 0.0005])
def test_the_switch_interval_that_a_program_sets(launcher: Launcher, interval: float) -> None:
    trace = launcher.record(SPIN, str(interval)).load()
    assert trace.processes[0].switch_interval == 5_000_000
    (found,) = trace.switch_intervals
    assert interval * 1e9 <= found < 1.9 * interval * 1e9 + 200_000


@pytest.mark.parametrize("interval", [0.05, 0.005, 0.0005])
def test_the_switch_interval_is_what_a_wait_times_out_after(launcher: Launcher, interval: float) -> None:
    trace = launcher.record(SPIN, options=("--switch-interval", str(interval))).load()
    assert trace.processes[0].switch_interval == round(interval * 1e9)
    timed_out = trace.waits[(trace.waits["timeouts"] == 1) & (trace.waits["outcome"] == 1)]
    assert len(timed_out) >= 3
    assert timed_out["duration"].min() >= interval * 1e9


def test_memory_a_thread(launcher: Launcher, interpreter: str) -> None:
    """64 KiB mapped and resident a living thread, and 1 MiB for all."""
    source = """
    import re, threading
    barrier = threading.Barrier(201)
    def work():
        for _ in range(3_000):
            threading.Event().wait(0)
        barrier.wait()
        barrier.wait()
    threads = [threading.Thread(target=work) for _ in range(200)]
    for thread in threads:
        thread.start()
    barrier.wait()
    mapped = resident = 0
    ours = False
    with open("/proc/self/smaps") as maps:
        for line in maps:
            if re.match("[0-9a-f]+-", line):
                ours = ".trace/" in line or "libgilscope" in line
            elif ours and line.startswith("Size:"):
                mapped += int(line.split()[1])
            elif ours and line.startswith("Rss:"):
                resident += int(line.split()[1])
    print(mapped, resident)
    barrier.wait()
    for thread in threads:
        thread.join()
    """
    run = launcher.record(source, options=("--python", interpreter))
    mapped, resident = map(int, run.stdout.split())
    pool = 512  # of streams, anonymous: its room is reserved, what is not used is not resident
    # A thread that is just going over to its next packets has both mapped.
    assert 200 * 32 < mapped + pool < 1024 + 201 * 64 * 1.1
    assert resident + pool < 1024 + 201 * 64
    assert len(run.load().threads) == 201


def test_the_helper_makes_the_packets_of_a_busy_thread(launcher: Launcher) -> None:
    """A thread that makes them itself sleeps meanwhile, by the kernel's count: here 37 times."""
    source = """
    import os, resource
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
    for _ in range(300_000):
        os.stat("/")
    print(resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - before)
    """
    sleeps: list[int] = []
    while len(sleeps) < 5 and min(sleeps, default=99) > 15:  # on a busy machine the helper may come too late
        run = launcher.record(source, options=("--no-samples",))
        sleeps.append(int(run.stdout))
        assert len(run.load().events) >= 600_000
    assert min(sleeps) <= 15

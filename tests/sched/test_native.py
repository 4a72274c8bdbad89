"""Which native code threads ran, as the kernel samples it: right libraries, or one line that says why not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import analysis
from analysis.measures.native_code import native_times
from analysis.model import State
from tests.launcher.support import Launcher, environment
from tests.sched.support import needs_perf, sched_of

# zlib lets go of the GIL for data of that size, json keeps it. Each computes for a second of its own time.
PROGRAM = """
import json, threading, time, zlib
text = json.dumps([str(number) * 3 for number in range(100_000)])
data = bytes(range(256)) * 8000

def until(seconds, work):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        work()

def crunch():
    until(1, lambda: zlib.compress(data, 9))

def loads():
    until(1, lambda: json.loads(text))

for work in (crunch, loads):
    thread = threading.Thread(target=work, name=work.__name__)
    thread.start()
    thread.join()
"""


def libraries(trace: analysis.Trace, thread: str, state: State) -> Counter[str]:
    found: Counter[str] = Counter()
    for each in native_times(trace):
        if trace.threads[each.thread].name == thread and each.state == state:
            found[each.code.library] += each.samples
    return found


def share_of(found: Counter[str], *names: str) -> float:
    of = sum(samples for library, samples in found.items() if library.startswith(names))
    return of / max(found.total(), 1)


@needs_perf
def test_right_libraries(launcher: Launcher) -> None:
    for _ in range(4):
        run = launcher.record(PROGRAM, options=("--force",))
        trace = run.load()
        assert sched_of(run).environment["native"] == "on"
        assert (run.directory / "program.trace/sched/symbols").exists()
        crunch = libraries(trace, "crunch", State.NATIVE)
        loads = libraries(trace, "loads", State.RUNNING)
        # zlib is a library, or linked into the module, or into Python; its checksums and copies are libc's.
        right = share_of(crunch, "libz", "zlib", "python", "libpython", "libc") >= 0.8
        right &= share_of(loads, "_json", "python", "libpython", "libc") >= 0.8
        if right and crunch.total() > 30 and loads.total() > 30:
            break
    else:
        raise AssertionError((crunch, loads))


@needs_perf
def test_left_out(launcher: Launcher) -> None:
    run = launcher.record("sum(range(3_000_000))", options=("--no-native",))
    assert sched_of(run).environment["native"] == "off"
    assert not list((run.directory / "program.trace/sched").glob("native_*"))
    trace = run.load()
    assert native_times(trace) == ()


@needs_perf
def test_api(launcher: Launcher) -> None:
    program = launcher.write(
        """
        import time, tracer
        tracer.start("with.trace")
        end = time.thread_time() + 0.5
        while time.thread_time() < end:
            sum(range(10000))
        tracer.stop()
        tracer.start("without.trace", native=False)
        tracer.stop()
        """
    )
    execute_python(launcher, str(program))
    trace = analysis.load(launcher.directory / "with.trace")
    found = libraries(trace, "MainThread", State.RUNNING)
    assert found.total() > 20 and share_of(found, "python", "libpython") >= 0.8
    assert native_times(analysis.load(launcher.directory / "without.trace")) == ()


@needs_perf
def test_in_the_output(launcher: Launcher) -> None:
    launcher.record("import time\nwhile time.thread_time() < 0.5: sum(range(10000))")
    command = ("-m", "analysis", "blame", "program.trace")
    found = json.loads(execute_python(launcher, *command, "--json"))["native"]
    assert found[0]["samples"] > 0 and found[0]["held_ns"] > 0
    printed = execute_python(launcher, *command)
    assert "native code" in printed and found[0]["library"] in printed


def execute_python(launcher: Launcher, *arguments: str) -> str:
    """Run it and return what it prints."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=launcher.directory,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout

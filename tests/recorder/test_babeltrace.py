"""Recorded traces, read by somebody else's reader."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import analysis
from tests.launcher.support import Launcher, environment

pytestmark = pytest.mark.skipif(shutil.which("babeltrace2") is None, reason="babeltrace2 is not installed")

SOURCE = """
import multiprocessing, threading
def count_down(n):
    while n > 0:
        n -= 1
def main():
    threads = [threading.Thread(target=count_down, args=(300_000,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(count_down, [100_000] * 4)
    for thread in threads:
        thread.join()
if __name__ == "__main__":
    main()
"""
KILLED = """
import os, signal, threading, tracer
tracer.start("program.trace", sched=False)
threads = [threading.Thread(target=lambda: [os.stat("/") for _ in range(20_000)]) for _ in range(2)]
for thread in threads:
    thread.start()
threads[0].join()
os.kill(os.getpid(), signal.SIGKILL)
"""


def gil_events(path: Path) -> int:
    """Count the events that babeltrace2 reads without a warning, records of names left out."""
    done = subprocess.run(["babeltrace2", str(path)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return sum("}, { gil = " in line and " sample: " not in line for line in done.stdout.splitlines())


def test_processes_and_threads(launcher: Launcher) -> None:
    trace = launcher.record(SOURCE, options=("--no-sched",)).load()
    assert len(trace.processes) == 3
    assert gil_events(trace.path) == len(trace.events) + len(trace.side.time)


def test_killed_with_packets_prepared_and_never_trimmed(launcher: Launcher) -> None:
    script = launcher.write(KILLED)
    command = [*launcher.command()[:1], str(script)]
    done = subprocess.run(command, cwd=launcher.directory, env=environment())
    assert done.returncode == -9
    trace = analysis.load(launcher.directory / "program.trace")
    assert trace.processes[0].ended == "killed"
    assert gil_events(trace.path) == len(trace.events) + len(trace.side.time) > 40_000

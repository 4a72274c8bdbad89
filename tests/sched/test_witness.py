"""Times on a CPU against the kernel's own tracepoint of context switches, where that may be used (root)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.launcher.support import Launcher
from tests.sched.support import needs_perf, printed, sched_of

SCRIPT = Path(__file__).with_name("tracepoints.py")
SLEEPY = """
import json, threading, time
tids = []
def sleepy():
    tids.append(threading.get_native_id())
    for _ in range(200):
        time.sleep(0.001)
threads = [threading.Thread(target=sleepy) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps(tids))
"""

pytestmark = needs_perf


def _in_first_pid_namespace() -> bool:
    status = Path("/proc/self/status").read_text().splitlines()
    return all(len(line.split()) == 2 for line in status if line.startswith("NSpid:"))


class Switches:
    """What the tracepoint said: filled when the block ends."""

    rows: np.ndarray


@contextmanager
def tracepoints() -> Iterator[Switches]:
    command = ["unshare", "-m", sys.executable, str(SCRIPT)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        pytest.skip(f"no tracepoints here: {process.communicate()[1].splitlines()[-1:]}")
    found = Switches()
    yield found
    output, _ = process.communicate()
    found.rows = np.array([line.split() for line in output.splitlines()], np.int64).reshape(-1, 4)


@pytest.mark.skipif(os.geteuid() != 0, reason="tracepoints are root's")
@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is not installed")
@pytest.mark.skipif(not _in_first_pid_namespace(), reason="tracepoints have other tids than this container")
def test_a_sleeping_thread_agrees_with_the_tracepoint(launcher: Launcher) -> None:
    """Its clock would not do: that counts the CPU's way out of idleness too, before the thread comes."""
    with tracepoints() as switches:
        run = launcher.record(SLEEPY)
    recorded = sched_of(run).by_thread()
    compared = 0
    for tid in printed(run):
        rows = np.array(recorded[int(tid)], np.int64)
        begin, end = rows[:, 0], rows[:, 1]
        left = switches.rows[switches.rows[:, 2] == tid, 0]
        assert len(left) >= 200
        # None is missing; the record is made just before the switch.
        nearest = np.abs(left[:, None] - end[None, :]).min(axis=1)
        assert np.median(nearest) < 20_000
        # Some kernels don't trace what comes after idleness on every CPU: where it is there, stretches agree.
        came = switches.rows[switches.rows[:, 3] == tid, 0]
        following = np.searchsorted(left, came, "right")
        came, following = came[following < len(left)], following[following < len(left)]
        traced = left[following] - came
        at = np.abs(came[:, None] - begin[None, :]).argmin(axis=1)
        compared += len(came)
        if len(came):
            difference = traced - (end - begin)[at]
            assert np.median(np.abs(difference)) < 20_000  # the two ends of the kernel's own switch
    assert len(switches.rows)
    if not compared:
        pytest.skip("this kernel traced nobody's coming")

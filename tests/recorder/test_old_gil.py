"""CPython 2.7, whose GIL is one semaphore: recorded by the same core, through the same command."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from analysis.reader.format import Event
from tests.launcher.support import Launcher

SOURCE = """
import os, threading
def count_down(n):
    while n > 0:
        n -= 1
threads = [threading.Thread(target=count_down, args=(400000,), name="half %d" % i) for i in (1, 2)]
for thread in threads:
    thread.start()
threads[1].name = "the other half"
for thread in threads:
    thread.join()
"""


def python2() -> str:
    """Find a Python 2.7: on the PATH, or pyenv's."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [shutil.which("python2.7"), *map(str, sorted(root.glob("versions/2.7.*/bin/python2.7")))]
    for path in found:
        if path is not None and os.access(path, os.X_OK) and "shims" not in path:
            return path
    pytest.skip("there is no Python 2.7 here")


def test_threads_of_2_7(launcher: Launcher) -> None:
    trace = launcher.record(SOURCE, options=("--python", python2())).load()
    assert trace.processes[0].python_version.startswith("2.7.")
    assert [thread.name for thread in trace.threads] == ["MainThread", "half 1", "the other half"]
    # Every hundred ticks the old interpreter lets go, whether anybody waits or not: thousands of times.
    kinds = trace.events["kind"]
    assert np.count_nonzero(kinds == Event.GIL_ACQUIRED) > 1_000
    assert np.count_nonzero(kinds == Event.GIL_TIMEOUT) == 0
    assert all(
        np.count_nonzero(kinds[trace.events["thread"] == half] == Event.GIL_ACQUIRED) > 100 for half in (1, 2)
    )


def test_a_forked_child_of_2_7_makes_a_new_gil(launcher: Launcher) -> None:
    source = SOURCE + "\nif os.fork() == 0:\n    count_down(100000)\n    os._exit(0)\nos.wait()\n"
    trace = launcher.record(source, options=("--python", python2())).load()
    child = trace.processes[1]
    assert child.ppid == trace.processes[0].pid
    mine = trace.events[trace.events["thread"] == trace.threads_of(child).start]
    assert np.count_nonzero(mine["kind"] == Event.GIL_ACQUIRED) > 100


def test_signals_end_no_wait_of_2_7(launcher: Launcher) -> None:
    """sem_wait comes back when a signal does, and is called again: one wait all the same."""
    source = "import signal\nsignal.signal(signal.SIGALRM, lambda number, frame: None)\n"
    source += "signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)\n" + SOURCE
    source += "signal.setitimer(signal.ITIMER_REAL, 0)\n"
    launcher.record(source, options=("--python", python2())).load()

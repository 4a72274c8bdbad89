"""`gilscope attach` and `detach`, of programs that run already."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import analysis
from analysis import State, statistics
from tests.launcher.support import Launcher, environment

needs_314 = pytest.mark.skipif(sys.version_info < (3, 14), reason="attaching takes Python 3.14 or later")

SERVICE = """
import sys, threading, time
def compute():
    while not over:
        sum(range(2000))
over = []
threads = [threading.Thread(target=compute, name=f"worker-{number}") for number in range(2)]
[thread.start() for thread in threads]
print("ready", flush=True)
while not sys.stdin.closed:
    time.sleep(0.01)
    if sys.argv[1:] == ["block"]:
        sys.stdin.readline()
        break
"""


@contextmanager
def service(launcher: Launcher, *arguments: str, **changes: str) -> Iterator[subprocess.Popen[str]]:
    path = launcher.write(SERVICE, "service.py")
    process = subprocess.Popen(
        [sys.executable, str(path), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **changes},
        text=True,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


def looks(pid: int) -> tuple[list[str], int]:
    """Return the descriptors of a process, and how many threads it has.

    Not libffi's own file, which it opens and keeps when `_ctypes` is imported (not in all builds).
    """
    of = Path(f"/proc/{pid}")
    fds = [fd.name for fd in (of / "fd").iterdir() if "libffi" not in str(fd.readlink())]
    return sorted(fds), len(list((of / "task").iterdir()))


@needs_314
def test_a_living_process_is_recorded_and_left_as_it_was(launcher: Launcher) -> None:
    with service(launcher) as process:
        before = looks(process.pid)
        resident = []
        for number in range(10):
            launcher.run(
                "attach",
                str(process.pid),
                "--for",
                "100ms",
                "-q",
                "--no-png",
                "-o",
                f"{number}.trace",
                status=0,
            )
            assert process.poll() is None
            resident.append(int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * 4)
        assert looks(process.pid) == before
        assert resident[-1] - resident[1] < 1024  # KiB: eight recordings later
    for number in range(10):
        trace = analysis.load(launcher.directory / f"{number}.trace")
        assert analysis.validate(trace) == []
        assert {"worker-0", "worker-1"} <= {thread.name for thread in trace.threads}
        assert trace.processes[0].ended == "stopped"
        assert sum(thread.time[State.WAITING] for thread in statistics(trace).threads) > 0


@needs_314
def test_a_process_in_a_long_call_is_waited_for(launcher: Launcher) -> None:
    with service(launcher, "block") as process:
        time.sleep(0.3)
        attaching = subprocess.Popen(
            launcher.command(
                "attach", str(process.pid), "--for", "10ms", "-q", "--no-png", "-o", "program.trace"
            ),
            cwd=launcher.directory,
            env=environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        assert attaching.stderr is not None
        assert "runs no Python code now, waiting" in attaching.stderr.readline()
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        attaching.communicate(timeout=60)
        assert attaching.returncode in (0, 2)  # it may have ended before


@needs_314
def test_a_process_that_forbids_it_is_left_alone(launcher: Launcher) -> None:
    with service(launcher, PYTHON_DISABLE_REMOTE_DEBUG="1") as process:
        said = launcher.run("attach", str(process.pid), status=2).stderr
    assert "PYTHON_DISABLE_REMOTE_DEBUG" in said
    assert said.count("\n") == 1
    assert not list(launcher.directory.glob("*.trace"))


def test_what_can_not_be_attached_to(launcher: Launcher) -> None:
    assert "there is no process 4194305" in launcher.run("attach", "4194305", status=2).stderr
    sleep = subprocess.Popen(["sleep", "60"])
    try:
        assert "runs sleep, no Python" in launcher.run("attach", str(sleep.pid), status=2).stderr
    finally:
        sleep.kill()
        sleep.wait()
    if sys.version_info < (3, 14):
        with service(launcher) as process:
            said = launcher.run("attach", str(process.pid), status=2).stderr
            assert "can't be attached to (3.14 can): start it with python -m tracer" in said

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

SERVICE = """
import asyncio, sys, threading, time
def compute():
    while not over:
        sum(range(2000))
async def idle():
    line = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, line.set)
    await line.wait()
over = []
threads = [threading.Thread(target=compute, name=f"worker-{number}") for number in range(2)]
[thread.start() for thread in threads]
print("ready", flush=True)
if "readline" in sys.argv:
    sys.stdin.readline()
if "asyncio" in sys.argv:
    asyncio.run(idle())
while True:
    time.sleep(0.01)
"""


@pytest.fixture
def attachable(interpreter: str) -> str:
    """An interpreter whose processes can be attached to."""
    code = "import sys; print(hasattr(sys, 'remote_exec'))"
    if subprocess.run([interpreter, "-c", code], capture_output=True, text=True).stdout != "True\n":
        pytest.skip("attaching takes Python 3.14 or later (GILSCOPE_PYTHONS names some)")
    return interpreter


@contextmanager
def service(
    launcher: Launcher, *arguments: str, python: str = sys.executable, **changes: str
) -> Iterator[subprocess.Popen[str]]:
    path = launcher.write(SERVICE, "service.py")
    process = subprocess.Popen(
        [python, str(path), *arguments],
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


def test_a_living_process_is_recorded_and_left_as_it_was(launcher: Launcher, attachable: str) -> None:
    with service(launcher, python=attachable) as process:
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


def wait_for_idleness(pid: int) -> None:
    """Until its main thread waits in the kernel for input; where the kernel does not say so, for a second."""
    for _ in range(100):
        where = Path(f"/proc/{pid}/wchan").read_text()
        if "pipe" in where or "poll" in where:
            return
        time.sleep(0.01)


@contextmanager
def attaching(launcher: Launcher, pid: int) -> Iterator[subprocess.Popen[str]]:
    """One that has said that it waits for the process."""
    attach = subprocess.Popen(
        launcher.command("attach", str(pid), "--for", "10ms", "-q", "--no-png", "-o", "program.trace"),
        cwd=launcher.directory,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert attach.stderr is not None
        assert "runs no Python code now, waiting" in attach.stderr.readline()
        yield attach
    finally:
        attach.kill()
        attach.communicate()


@pytest.mark.parametrize("idle", ["readline", "asyncio"])
def test_a_process_that_runs_no_python_is_waited_for(launcher: Launcher, attachable: str, idle: str) -> None:
    with service(launcher, idle, python=attachable) as process:
        wait_for_idleness(process.pid)
        with attaching(launcher, process.pid) as attach:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
            attach.communicate(timeout=60)
        assert attach.returncode == 0 and process.poll() is None
    assert analysis.validate(analysis.load(launcher.directory / "program.trace")) == []


def test_a_process_that_forbids_it_is_left_alone(launcher: Launcher, attachable: str) -> None:
    with service(launcher, python=attachable, PYTHON_DISABLE_REMOTE_DEBUG="1") as process:
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

"""Programs that are armed: what it costs them, who may ask, and that they stay so."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import analysis
from analysis import State, statistics
from tests.launcher.attach.test_attach import SERVICE, looks
from tests.launcher.support import Launcher, environment
from tracer.attach import armed
from tracer.launcher import BOOTSTRAP

SHORT = ("--for", "200ms", "-q", "--no-png", "--no-sched")


@contextmanager
def running(launcher: Launcher, source: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A program, armed, that has said its first line."""
    path = launcher.write(source, "service.py")
    process = subprocess.Popen(
        launcher.command(*(options or ("--armed=sockets",)), path),
        cwd=launcher.directory,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def sockets(launcher: Launcher) -> list[str]:
    return sorted(path.name for path in (launcher.directory / "sockets").glob("*.gilscope"))


def test_an_armed_process_is_recorded_and_left_as_it_was(launcher: Launcher) -> None:
    with running(launcher, SERVICE) as process:
        assert sockets(launcher) == [f"{process.pid}.gilscope"]
        place = launcher.directory / "sockets"
        assert (place / f"{process.pid}.gilscope").stat().st_mode & 0o777 == 0o600
        assert place.stat().st_mode & 0o777 == 0o700
        before = looks(process.pid)
        assert not any(link.startswith("socket") for link in descriptors(process.pid))
        resident = []
        for number in range(10):
            launcher.run("attach", str(process.pid), *SHORT, "-o", f"{number}.trace", status=0)
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


def descriptors(pid: int) -> list[str]:
    return [str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()]


def test_the_scheduler_is_recorded_too(launcher: Launcher) -> None:
    with running(launcher, SERVICE) as process:
        done = launcher.run(
            "attach", str(process.pid), "--for", "300ms", "-q", "--no-png", "-o", "a.trace", status=0
        )
    if "no scheduler events" in launcher.run("-q", "--no-png", "-c", "pass").stderr:
        pytest.skip("no scheduler events here")
    assert "no scheduler events" not in done.stderr
    trace = analysis.load(launcher.directory / "a.trace")
    assert analysis.validate(trace) == []
    figures = {of.thread.name: of.time for of in statistics(trace).threads}
    assert figures["worker-0"][State.RUNNING] > 0


def test_the_environment_arms_a_service(launcher: Launcher) -> None:
    path = launcher.write(SERVICE, "service.py")
    process = subprocess.Popen(
        [sys.executable, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(PYTHONPATH=str(BOOTSTRAP), GILSCOPE_ARMED=str(launcher.directory / "sockets")),
        text=True,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        launcher.run("attach", str(process.pid), *SHORT, "-o", "a.trace", status=0)
    finally:
        process.kill()
        process.communicate()
    assert analysis.validate(analysis.load(launcher.directory / "a.trace")) == []


def test_a_program_arms_itself(launcher: Launcher) -> None:
    source = "import tracer; tracer.arm('sockets'); tracer.arm('sockets')\n" + SERVICE
    path = launcher.write(source, "service.py")
    process = subprocess.Popen(
        [sys.executable, str(path)],
        cwd=launcher.directory,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        launcher.run("attach", str(process.pid), *SHORT, "-o", "a.trace", status=0)
    finally:
        process.kill()
        process.communicate()
    trace = analysis.load(launcher.directory / "a.trace")
    assert {"worker-0", "worker-1"} <= {thread.name for thread in trace.threads}


def test_children_arm_themselves_and_the_parent_stays_armed(launcher: Launcher) -> None:
    source = """
    import os, sys, time
    print("ready", flush=True)
    sys.stdin.readline()
    child = os.fork()
    while child == 0:
        time.sleep(0.01)
    print(child, flush=True)
    while True:
        time.sleep(0.01)
    """
    with running(launcher, source) as process:
        assert process.stdin is not None and process.stdout is not None
        print(file=process.stdin, flush=True)
        child = int(process.stdout.readline())
        try:
            until(lambda: f"{child}.gilscope" in sockets(launcher))
            for pid in (process.pid, child):
                launcher.run("attach", str(pid), *SHORT, "-o", f"{pid}.trace", status=0)
                assert analysis.load(launcher.directory / f"{pid}.trace").processes[0].pid == pid
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_process_that_forks_again_and_again_is_heard(launcher: Launcher) -> None:
    """The thread that listens makes way for each fork: what it has not heard by then is asked anew."""
    source = """
    import os, time
    print("ready", flush=True)
    while True:
        if (child := os.fork()) == 0:
            os._exit(0)
        os.waitpid(child, 0)
        time.sleep(0.01)
    """
    with running(launcher, source) as process:
        attach = ("attach", str(process.pid), *SHORT, "--force", "-o", "a.trace")
        assert any(launcher.run(*attach).returncode == 0 for _ in range(5))
        assert process.poll() is None
    assert analysis.validate(analysis.load(launcher.directory / "a.trace")) == []


def test_a_program_that_becomes_another_is_armed_again(launcher: Launcher) -> None:
    source = """
    import os, sys
    print("ready", flush=True)
    sys.stdin.readline()
    code = "import sys, time\\nprint('again', flush=True)\\nwhile True: time.sleep(0.01)"
    os.execv(sys.executable, [sys.executable, "-c", code])
    """
    with running(launcher, source) as process:
        assert process.stdin is not None and process.stdout is not None
        print(file=process.stdin, flush=True)
        assert process.stdout.readline() == "again\n"
        assert sockets(launcher) == [f"{process.pid}.gilscope"]
        launcher.run("attach", str(process.pid), *SHORT, "-o", "a.trace", status=0)


def test_a_long_path_is_coped_with(launcher: Launcher) -> None:
    place = launcher.directory / ("long-" * 25) / "sockets"
    place.parent.mkdir()
    with running(launcher, SERVICE, f"--armed={place}") as process:
        assert len(str(place)) > 107
        launcher.run("attach", str(process.pid), *SHORT, "-o", "a.trace", status=0)


def test_what_killed_processes_left_is_swept(launcher: Launcher) -> None:
    with running(launcher, SERVICE) as process:
        process.kill()
        process.wait(60)
        assert sockets(launcher) == [f"{process.pid}.gilscope"]
        assert f"no process {process.pid}" in launcher.run("attach", str(process.pid), status=2).stderr
    with running(launcher, "print('ready', flush=True); input()") as other:
        assert sockets(launcher) == [f"{other.pid}.gilscope"]
        assert other.stdin is not None
        print(file=other.stdin, flush=True)
        assert other.wait(60) == 0
        assert sockets(launcher) == []


def test_the_second_attach_is_told(launcher: Launcher) -> None:
    with running(launcher, SERVICE) as process:
        first = subprocess.Popen(
            launcher.command("attach", str(process.pid), "-q", "--no-png", "--no-sched", "-o", "first.trace"),
            cwd=launcher.directory,
            env=environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        assert first.stderr is not None
        assert "is recorded into first.trace, until Ctrl-C" in first.stderr.readline()
        said = launcher.run("attach", str(process.pid), *SHORT, "-o", "second.trace", status=2).stderr
        assert "is recorded already, into" in said and said.count("\n") == 1
        assert not (launcher.directory / "second.trace").exists()
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=120)
        assert first.returncode == 0
        assert "not recorded" in launcher.run("detach", str(process.pid), status=2).stderr
    assert analysis.validate(analysis.load(launcher.directory / "first.trace")) == []


def test_detach_ends_what_a_killed_attach_began(launcher: Launcher) -> None:
    with running(launcher, SERVICE) as process:
        attach = subprocess.Popen(
            launcher.command("attach", str(process.pid), "-q", "--no-png", "--no-sched", "-o", "a.trace"),
            cwd=launcher.directory,
            env=environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        assert attach.stderr is not None
        attach.stderr.readline()
        attach.kill()
        attach.communicate()
        launcher.run("detach", str(process.pid), status=0)
        launcher.run("attach", str(process.pid), *SHORT, "-o", "b.trace", status=0)
    for name in ("a.trace", "b.trace"):
        trace = analysis.load(launcher.directory / name)
        assert analysis.validate(trace) == [] and trace.processes[0].ended == "stopped"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be someone else")
def test_others_may_not_ask(launcher: Launcher) -> None:
    with running(launcher, SERVICE) as process:
        place = launcher.directory / "sockets"
        path = place / f"{process.pid}.gilscope"
        place.chmod(0o755)
        path.chmod(0o666)  # as if file rights had been lax
        for parent in launcher.directory.parents:
            if parent != Path("/") and not parent.stat().st_mode & 1:
                parent.chmod(parent.stat().st_mode | 0o111)
        launcher.directory.chmod(0o755)
        code = (
            "import os, socket, sys; os.setuid(65534)\n"
            "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
            "s.connect(sys.argv[1]); s.send(b'status'); print(s.recv(999).decode())"
        )
        said = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, cwd="/"
        )
        assert said.stdout.startswith("failed\nonly its own user"), said.stderr


def test_who_connects_and_says_nothing_is_not_waited_for(launcher: Launcher) -> None:
    silent = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with running(launcher, SERVICE) as process, silent:
        silent.connect(str(launcher.directory / "sockets" / f"{process.pid}.gilscope"))
        way = armed.find(process.pid)
        assert way is not None and way.status()["recording"] == "0"


def test_what_only_a_recording_has_is_refused(launcher: Launcher) -> None:
    launcher.write("pass")
    assert "give --summaries" in launcher.run("--armed", "--summaries", "x", "program.py", status=2).stderr
    assert "--armed records nothing yet" in launcher.run("--armed", "-o", "x", "program.py", status=2).stderr
    assert "is not armed" in launcher.run("--armed=/proc/none", "program.py", status=0).stderr

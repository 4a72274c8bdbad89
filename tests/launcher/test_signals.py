"""Signals, the terminal, sudden death: the target gets what it would get, the caller sees how it ended."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import analysis
from tests.launcher.support import TIMEOUT, Launcher, environment

COUNTS_SIGNALS = """
import os, signal, sys, time
got = []
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(number, lambda number, frame: got.append(signal.Signals(number).name))
print("ready", os.getpid(), flush=True)
end = time.monotonic() + 60
while "SIGTERM" not in got and time.monotonic() < end:
    time.sleep(0.01)
print(*got)
sys.exit(9)
"""


def default_signals() -> None:
    """Undo what a shell does to the programs that it starts in the background, or nohup, and they pass on."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def started(launcher: Launcher, source: str, *options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A launcher whose program has printed "ready PID", and that PID."""
    script = launcher.write(source)
    process = subprocess.Popen(
        launcher.command("-q", "--no-png", *options, script.name),
        cwd=launcher.directory,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=default_signals,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        word, pid = process.stdout.readline().split()
        assert word == "ready"
        yield process, int(pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def load(launcher: Launcher) -> analysis.Trace:
    trace = analysis.load(launcher.directory / "program.trace")
    assert analysis.validate(trace) == []
    return trace


def test_signals_to_the_launcher_reach_the_program_once(launcher: Launcher) -> None:
    with started(launcher, COUNTS_SIGNALS) as (process, _):
        names = ["SIGUSR1", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR2", "SIGTERM"]
        for name in names:
            process.send_signal(signal.Signals[name])
            time.sleep(0.1)  # the order of signals pending together is the kernel's
        out, err = process.communicate(timeout=TIMEOUT)
    assert out.split() == names
    assert (process.returncode, err) == (9, "")
    load(launcher)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_dies_of_the_signal_that_the_program_died_of(launcher: Launcher, number: signal.Signals) -> None:
    source = """
    import os, signal, time
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    print("ready", os.getpid(), flush=True)
    while True:
        time.sleep(0.001)
    """
    with started(launcher, source) as (process, _):
        process.send_signal(number)
        process.communicate(timeout=TIMEOUT)
    assert process.returncode == -number
    (recorded,) = load(launcher).processes
    assert recorded.ended == "killed"


def test_what_the_program_sends_to_its_group_reaches_it_once(launcher: Launcher) -> None:
    source = """
    import os, signal, time
    got = []
    signal.signal(signal.SIGUSR1, lambda number, frame: got.append(number))
    os.kill(0, signal.SIGUSR1)
    time.sleep(0.3)
    print(len(got))
    """
    run = launcher.record(source, start_new_session=True)
    assert run.stdout == "1\n"


def test_kill_9_keeps_every_committed_event(launcher: Launcher) -> None:
    source = """
    import os, threading, time
    def spin():
        while True:
            pass
    def nap():
        while True:
            time.sleep(0)
    threading.Thread(target=spin, name="spin", daemon=True).start()
    threading.Thread(target=nap, name="nap", daemon=True).start()
    time.sleep(0.5)
    print("ready", os.getpid(), flush=True)
    while True:
        time.sleep(0.001)
    """
    with started(launcher, source) as (process, pid):
        time.sleep(0.3)
        os.kill(pid, signal.SIGKILL)
        process.communicate(timeout=TIMEOUT)
    assert process.returncode == -signal.SIGKILL
    trace = load(launcher)
    assert trace.processes[0].ended == "killed"
    assert {"MainThread", "spin", "nap"} == {thread.name for thread in trace.threads}
    assert trace.intervals["unfinished"].any()
    assert trace.end - trace.begin > 700_000_000  # 0.5 s of sleep and 0.3 s more went by
    assert all(file.stat().st_size > 0 for file in trace.path.rglob("gil_*"))


class Terminal:
    """A program in the foreground of a terminal of its own."""

    def __init__(self, command: list[str], directory: Path) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            default_signals()
            os.chdir(directory)
            os.execvpe(command[0], command, environment())
        self.output = b""

    def type(self, keys: bytes) -> None:
        os.write(self.fd, keys)

    def read_until(self, text: bytes) -> None:
        end = time.monotonic() + TIMEOUT
        while text not in self.output:
            assert time.monotonic() < end, self.output
            self._read(1.0)

    def _read(self, seconds: float) -> bool:
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 4096)
        except OSError:
            return False  # the last process on the terminal has ended
        self.output += data
        return bool(data)

    def wait(self) -> int:
        while self._read(TIMEOUT):
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_ctrl_c_interrupts_the_program_once(launcher: Launcher) -> None:
    launcher.write(
        """
        import time
        for _ in range(2):
            try:
                print("ready", flush=True)
                time.sleep(1)
            except KeyboardInterrupt:
                print("interrupted", flush=True)
        print("end")
        """
    )
    terminal = Terminal(launcher.command("-q", "--no-png", "program.py"), launcher.directory)
    terminal.read_until(b"ready")
    terminal.type(b"\x03")
    assert terminal.wait() == 0
    assert terminal.output.count(b"interrupted") == 1
    assert b"end" in terminal.output
    load(launcher)


def test_ctrl_c_kills_a_program_that_does_not_catch_it(launcher: Launcher) -> None:
    launcher.write("import time\nprint('ready', flush=True)\ntime.sleep(60)\n")
    terminal = Terminal(launcher.command("--no-png", "program.py"), launcher.directory)
    terminal.read_until(b"ready")
    terminal.type(b"\x03")
    assert terminal.wait() == -signal.SIGINT
    assert terminal.output.count(b"KeyboardInterrupt") == 1
    assert b"trace program.trace" in terminal.output
    assert b"tracer/" not in terminal.output


def test_job_control(launcher: Launcher) -> None:
    # Ctrl-Z gives the shell its terminal back, fg goes on, the status comes through.
    launcher.write("import sys\nprint('ready', flush=True)\nprint('got', input(), flush=True)\nsys.exit(3)\n")
    shell = Terminal(["bash", "--norc", "--noprofile", "--noediting", "-i"], launcher.directory)
    shell.type(b"PS1='$ '; stty -echo\n")
    shell.type(b"alias traced='" + " ".join(launcher.command("-q", "--no-png")).encode() + b"'\n")
    shell.type(b"traced program.py; echo first=$?\n")
    shell.read_until(b"ready")
    shell.type(b"\x1a")
    shell.read_until(b"first=148")  # 128 + SIGTSTP
    time.sleep(0.3)  # the terminal flushes its input after it has sent the signal
    shell.type(b"fg; echo second=$?\n")
    time.sleep(0.3)
    shell.type(b"line\n")
    shell.read_until(b"second=3")
    assert b"got line" in shell.output
    shell.type(b"exit\n")
    shell.wait()
    load(launcher)


def test_a_job_that_was_told_to_run_on_is_not_stopped_again() -> None:
    """SIGCONT came before the launcher saw that its target had been stopped with it: no other will come."""
    source = """if True:
    import os, signal, subprocess
    from tracer.launcher import _stop_like
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCONT})
    sleeper = subprocess.Popen(["sleep", "600"])
    try:
        sleeper.send_signal(signal.SIGSTOP)
        os.waitpid(sleeper.pid, os.WUNTRACED)
        os.kill(os.getpid(), signal.SIGCONT)
        _stop_like(sleeper.pid)
        assert os.WIFCONTINUED(os.waitpid(sleeper.pid, os.WCONTINUED)[1])
        assert signal.sigtimedwait({signal.SIGCONT}, 0) is None
    finally:
        sleeper.kill()
    """
    subprocess.run([sys.executable, "-c", source], env=environment(), check=True, timeout=TIMEOUT)


def test_a_program_that_stops_itself_stops_the_job(launcher: Launcher) -> None:
    source = """
    import os, signal
    print("ready", os.getpid(), flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
    print("on again")
    """
    with started(launcher, source) as (process, _):
        assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
        process.send_signal(signal.SIGCONT)
        out, _ = process.communicate(timeout=TIMEOUT)
    assert out == "on again\n"
    assert process.returncode == 0

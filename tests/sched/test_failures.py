"""What can't be recorded is said, once, and all else goes on."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import analysis
from analysis.reader.format import Sched
from tests.launcher.support import Launcher, environment
from tests.sched.support import Recorded, babeltrace, execute, needs_perf

# As a container's seccomp profile does it: perf_event_open (system call 298 of x86-64, 241 of others) fails
# with EPERM, for this process and all that it starts.
REFUSED = """
import ctypes, os, struct, sys
number = 298 if os.uname().machine == "x86_64" else 241
load, equal, give = 0x20, 0x15, 0x06
filters = b"".join(
    struct.pack("<HBBI", *row)
    for row in [(load, 0, 0, 0), (equal, 0, 1, number), (give, 0, 0, 0x00050001), (give, 0, 0, 0x7FFF0000)]
)
held = ctypes.create_string_buffer(filters)
program = ctypes.create_string_buffer(struct.pack("<H6xQ", 4, ctypes.addressof(held)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, program) == 0, ctypes.get_errno()
os.execv(sys.argv[1], sys.argv[1:])
"""


def refused(launcher: Launcher, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", REFUSED, *launcher.command(*arguments)]
    return subprocess.run(
        command, cwd=launcher.directory, env=environment(), capture_output=True, text=True, timeout=60
    )


def test_refusal_is_told_once(launcher: Launcher) -> None:
    launcher.write("import os; os.system('true'); print('ran')")
    done = refused(launcher, "--no-png", "program.py")
    assert (done.returncode, done.stdout) == (0, "ran\n")
    ours = [line for line in done.stderr.splitlines() if "scheduler" in line]
    assert len(ours) == 1
    assert ours[0].startswith("gilscope: no scheduler events: ") and "would allow it" in ours[0]
    assert not (launcher.directory / "program.trace/sched").exists()
    trace = analysis.load(launcher.directory / "program.trace")
    assert analysis.validate(trace) == []
    assert len(trace.processes) == 1


def test_refusal_in_the_api(launcher: Launcher) -> None:
    program = launcher.write(
        """
        import tracer
        for _ in range(2):
            with tracer.trace("out.trace", force=True):
                pass
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", REFUSED, sys.executable, str(program)],
        cwd=launcher.directory,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("gilscope: no scheduler events: ")
    assert analysis.validate(analysis.load(launcher.directory / "out.trace")) == []


def test_command_of_which_nothing_can_be_recorded(launcher: Launcher) -> None:
    done = refused(launcher, "-q", "--exec", "--", "true")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "gilscope: nothing was recorded, so there is no true.trace\n"
    assert list(launcher.directory.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--exec",), "no command to run"),
        (("--exec", "--", "no-such-command"), "there is no command no-such-command"),
        (("--exec", "--python", "python3", "--", "true"), "--python does not go with it"),
    ],
)
def test_commands_that_make_no_sense(launcher: Launcher, arguments: tuple[str, ...], told: str) -> None:
    run = launcher.run(*arguments, status=2)
    assert run.stderr.startswith("gilscope: ") and told in run.stderr
    assert list(launcher.directory.iterdir()) == []


@needs_perf
def test_command_keeps_its_name_and_status(launcher: Launcher) -> None:
    run = launcher.run("-q", "--no-png", "--exec", "sh", "-c", "echo $0; exit 3", status=3)
    assert run.stdout == "sh\n"
    assert [path.name for path in launcher.directory.iterdir()] == ["sh.trace"]


@needs_perf
def test_left_out(launcher: Launcher) -> None:
    run = launcher.record("pass", options=("--no-sched",))
    assert not (run.directory / "program.trace/sched").exists()


@needs_perf
def test_program_that_does_not_start(launcher: Launcher) -> None:
    program = launcher.write("not for any interpreter", "program")
    program.chmod(0o755)
    run = launcher.run("-o", "program.trace", "--exec", "--", "./program", status=2)
    assert run.stderr.startswith("gilscope: ./program can't be started") or "program can't be" in run.stderr
    assert not (launcher.directory / "program.trace").exists()


@needs_perf
def test_no_file_is_inherited(launcher: Launcher) -> None:
    run = execute(launcher, "sh", "-c", "ls /proc/self/fd")
    assert run.stdout.split() == ["0", "1", "2", "3"]


PING_PONG = """
import os
there, back = os.pipe(), os.pipe()
child = os.fork()
for _ in range(60_000):
    if child:
        os.write(there[1], b"x"); os.read(back[0], 1)
    else:
        os.read(there[0], 1); os.write(back[1], b"x")
"""


@needs_perf
def test_lost_records_are_counted(launcher: Launcher) -> None:
    """The launcher is stopped while two processes switch as fast as they can: the rings run over."""
    program = launcher.write(PING_PONG)
    command = launcher.command("-q", "--no-png", program.name)
    with subprocess.Popen(
        command, cwd=launcher.directory, env=environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        directory = launcher.directory / "program.trace"
        while not list(directory.glob("[0-9]*/gil_0")):
            time.sleep(0.005)
        process.send_signal(signal.SIGSTOP)
        (program_pid,) = children(process.pid)
        while state(program_pid) != "Z":
            time.sleep(0.02)
        process.send_signal(signal.SIGCONT)
        _, told = process.communicate()
    recorded = Recorded(launcher.directory / "program.trace/sched")
    lost = [
        int(tid)
        for events in recorded.streams.values()
        for tid in events["tid"][events["id"] == Sched.SCHED_LOST]
    ]
    assert sum(lost) == recorded.discarded > 10_000
    assert f"gilscope: {sum(lost)} scheduler events were lost" in told
    recorded.by_thread()
    assert analysis.validate(analysis.load(launcher.directory / "program.trace")) == []


@needs_perf
def test_no_room_for_what_comes(launcher: Launcher) -> None:
    """A limit on files' sizes is as good as a full disk."""
    launcher.write(PING_PONG)
    command = ["prlimit", "--fsize=200000", *launcher.command("-q", "--no-png", "program.py")]
    done = subprocess.run(
        command, cwd=launcher.directory, env=environment(), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0
    assert "gilscope: the scheduler's events end early: File too large" in done.stderr.splitlines()
    recorded = Recorded(launcher.directory / "program.trace/sched")
    assert recorded.tasks
    assert recorded.environment["recording_start"] < recorded.failed < recorded.environment["recording_stop"]
    recorded.by_thread()
    assert analysis.validate(analysis.load(launcher.directory / "program.trace")) == []


@needs_perf
@pytest.mark.skipif(shutil.which("babeltrace2") is None, reason="babeltrace2 is not installed")
def test_launcher_that_is_killed(launcher: Launcher) -> None:
    """What was drained by then is there, and whole."""
    program = launcher.write(
        "import time\nprint('begun', flush=True)\nfor _ in range(500): time.sleep(0.002)"
    )
    with subprocess.Popen(
        launcher.command(program.name), cwd=launcher.directory, env=environment(), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.7)
        process.kill()
        process.stdout.read()
    recorded = Recorded(launcher.directory / "program.trace/sched")
    assert recorded.environment["recording_stop"] == 0
    assert sum(map(len, recorded.by_cpu().values())) > 50
    assert babeltrace(recorded.path)
    assert analysis.validate(analysis.load(launcher.directory / "program.trace")) == []
    assert launcher.run("-q", "--no-png", "--force", "-o", "program.trace", "-c", "pass", status=0)


@needs_perf
def test_not_a_trace_of_ours(launcher: Launcher) -> None:
    """A stranger's file keeps the trace from being replaced, in sched/ as elsewhere."""
    launcher.record("pass")
    stranger = launcher.directory / "program.trace/sched/notes"
    stranger.write_text("mine")
    run = launcher.run("--force", "program.py", status=2)
    assert "not a trace" in run.stderr
    assert stranger.read_text() == "mine"


def children(pid: int) -> list[int]:
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]

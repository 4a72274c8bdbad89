"""What goes wrong with the recording never changes what the program does, and is said in one line."""

from __future__ import annotations

import os
import resource
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import analysis
from tests.launcher.support import Launcher, environment, free_threaded

# Each os.stat is a release and a take: megabytes of events.
MANY_EVENTS = """
import os, sys
def program(n):
    for _ in range(n):
        os.stat("/")
program(300_000)
print("done")
sys.exit(3)
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB, or a plain directory where none can be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True)
    yield disk
    if mounted.returncode == 0:
        subprocess.run(["umount", disk], check=True)


def limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))


def test_full_disk(launcher: Launcher, small_disk: Path) -> None:
    launcher.write(MANY_EVENTS)
    limit = None if small_disk.is_mount() else limit_files
    run = launcher.run(
        "-q", "--no-png", "-o", small_disk / "x.trace", "program.py", status=3, preexec_fn=limit
    )
    assert run.stdout == "done\n"
    assert "ended early" in run.stderr
    assert "Traceback" not in run.stderr
    trace = analysis.load(small_disk / "x.trace")
    assert analysis.validate(trace) == []
    assert trace.processes[0].ended == "failed"
    assert trace.processes[0].discarded > 0
    assert len(trace.events) > 10_000


def test_a_disk_that_others_fill(launcher: Launcher, tmp_path: Path) -> None:
    """While a recording that is kept small goes on: it ends, with a line, and the program does not notice."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", disk], capture_output=True
    ).returncode:
        pytest.skip("only root can mount a disk to fill")
    try:
        launcher.write(
            """
            import os, sys
            print("begun", flush=True)
            sys.stdin.readline()
            for _ in range(100_000):
                os.stat("/")
            print("done")
            sys.exit(3)
            """
        )
        process = subprocess.Popen(
            launcher.command("-q", "--no-png", "--keep", "10s", "-o", disk / "x.trace", "program.py"),
            cwd=launcher.directory,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        process.stdout.readline()
        with (disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(bytes(4096))
        said, errors = process.communicate("\n", timeout=100)
        assert (process.returncode, said) == (3, "done\n")
        assert errors.count("ended early: No space left on device") == 1 and "events were lost" in errors
        check_what_was_recorded(disk / "x.trace")
    finally:
        subprocess.run(["umount", disk], check=True)


def check_what_was_recorded(path: Path) -> None:
    """In a function of its own: while a trace is there its files are mapped."""
    trace = analysis.load(path)
    assert analysis.validate(trace) == []
    (recorded,) = trace.processes
    assert recorded.ended == "failed" and recorded.discarded > 0


def test_disk_full_from_the_start(launcher: Launcher, small_disk: Path) -> None:
    if not small_disk.is_mount():
        pytest.skip("only root can mount a disk to fill")
    with (small_disk / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"x" * 4096)
        except OSError:
            pass
    run = launcher.run("-q", "--no-png", "-o", small_disk / "x.trace", "-c", "print('ran')", status=0)
    assert run.stdout == "ran\n"
    assert "not recorded" in run.stderr
    assert "Traceback" not in run.stderr


def test_vanished_trace(launcher: Launcher) -> None:
    source = """
    import shutil, sys, threading
    shutil.rmtree("program.trace")
    threads = [threading.Thread(target=sum, args=(range(100_000),)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("done")
    sys.exit(4)
    """
    run = launcher.record(source, status=4)
    assert run.stdout == "done\n"
    assert run.stderr == "gilscope: program.trace has vanished: there is nothing to analyse\n"


def test_picture_that_can_t_be_written(launcher: Launcher) -> None:
    source = "import os, sys; os.mkdir('program.png'); sys.exit(5)"
    launcher.write(source)
    run = launcher.run("-q", "program.py", status=5)
    assert run.stderr.startswith("gilscope: program.png can't be written")
    assert run.stderr.count("\n") == 1


def test_no_gil_no_trace(launcher: Launcher, interpreters: list[str]) -> None:
    python = free_threaded(interpreters)
    if python is None:
        pytest.skip("no free-threaded interpreter here (GILSCOPE_PYTHONS names some)")
    source = """
    import subprocess, sys, threading
    thread = threading.Thread(target=print, args=("ran",))
    thread.start()
    thread.join()
    sys.stdout.flush()
    subprocess.run([sys.executable, "-c", ""])
    sys.exit(6)
    """
    run = launcher.record(source, status=6, options=("--python", python, "--no-sched"))
    assert run.stdout == "ran\n"
    first, second = run.stderr.splitlines()
    assert first.startswith("gilscope: process ") and "GIL" in first
    assert second.startswith("gilscope: nothing was recorded")
    assert not (launcher.directory / "program.trace").exists()


def test_program_that_is_no_python(launcher: Launcher) -> None:
    run = launcher.run("-q", "--no-png", "--no-sched", "--python", "/bin/echo", "-c", "hello", status=0)
    assert run.stdout == "-c hello\n"
    assert run.stderr == "gilscope: nothing was recorded, so there is no command.trace\n"
    assert not (launcher.directory / "command.trace").exists()


def other_interpreters() -> list[str]:
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    wanted = [f"{version}.*/bin/python" for version in ("2.7", "3.6", "3.8", "3.10")]
    found = [str(path) for pattern in wanted for path in versions.glob(pattern)]
    return found + [path for path in [shutil.which("pypy3")] if path]


@pytest.mark.parametrize("python", other_interpreters() or [None])
def test_interpreters_of_other_times_run_on(launcher: Launcher, python: str | None) -> None:
    if python is None:
        pytest.skip("no older interpreter here")
    source = """
    import os, sys, threading
    thread = threading.Thread(target=lambda: sys.stdout.write("ran\\n"))
    thread.start()
    thread.join()
    sys.stdout.flush()
    sys.exit(7)
    """
    run = launcher.run("-q", "--no-png", "--python", python, launcher.write(source).name, status=7)
    assert run.stdout == "ran\n"
    assert "Traceback" not in run.stderr
    assert all(line.startswith("gilscope: ") for line in run.stderr.splitlines())


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "2>&1 >/dev/null | head -c 1"])
def test_nobody_reads_the_summary(launcher: Launcher, redirection: str) -> None:
    """The status is the program's, and what is gilscope's is not on its stdout."""
    launcher.write("import sys; print('mine'); sys.exit(7)")
    command = (
        f"{shlex.join(launcher.command('--no-png', 'program.py'))} {redirection}; echo ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=launcher.directory,
        env=environment(PYTHONUNBUFFERED=""),
        capture_output=True,
        text=True,
    )
    wanted = "g7\n" if "head" in redirection else "mine\n7\n"
    assert done.stdout == wanted
    assert done.stderr == ""


def test_figures_that_stdout_does_not_take(launcher: Launcher) -> None:
    launcher.write("import sys; sys.exit(7)")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            launcher.command("-q", "--no-png", "--json", "program.py"),
            cwd=launcher.directory,
            env=environment(PYTHONUNBUFFERED=""),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 7
    assert done.stderr == "gilscope: the figures can't be written to stdout: No space left on device\n"

"""The program can't tell that it is traced: it is the real __main__, and ends as it would without us."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launcher.support import ROOT, Launcher, environment

WHAT_IT_SEES = """
import json, os, sys, __main__
print(json.dumps({
    "argv": sys.argv,
    "path": sys.path,
    "name": __name__,
    "file": globals().get("__file__"),
    "spec": __spec__ is not None,
    "main": sys.modules["__main__"] is __main__ and __main__.__dict__ is globals(),
    "flags": list(sys.flags),
    "sitecustomize": "sitecustomize" in sys.modules,
    "orig_argv": sys.orig_argv[1:],
    # Without the two of glibc's own, which its posix_spawn leaves ignored and its threads take back.
    "signals": [
        int(line[8:], 16) & 0x7fffffff
        for line in open("/proc/self/status")
        if line[:6] in ("SigBlk", "SigIgn")
    ],
    "streams": [os.fstat(fd).st_ino for fd in (0,)],
}))
"""


def plain(
    launcher: Launcher, *arguments: str | Path, flags: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *flags, *map(str, arguments)],
        cwd=launcher.directory,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("flags", [(), ("-O", "-X", "utf8", "-W", "ignore"), ("-s", "-uB"), ("-P",)])
def test_script_sees_what_it_would_see(launcher: Launcher, flags: tuple[str, ...]) -> None:
    script = launcher.write(WHAT_IT_SEES, "see.py")
    with Path(os.devnull).open() as nothing:
        traced = launcher.run(
            "-q", "--no-png", script, "a", "-m", "--png", flags=flags, status=0, stdin=nothing
        )
        expected = subprocess.run(
            [sys.executable, *flags, str(script), "a", "-m", "--png"],
            cwd=launcher.directory,
            env=environment(),
            stdin=nothing,
            capture_output=True,
            text=True,
        )
    assert traced.stdout.replace('"-u", "-B"', '"-uB"') == expected.stdout


def test_module_and_code_see_what_they_would_see(launcher: Launcher) -> None:
    package = launcher.directory / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "part.py").write_text(WHAT_IT_SEES)
    for arguments in (("-m", "package.part", "x", "-q"), ("-c", WHAT_IT_SEES, "-o", "x")):
        with Path(os.devnull).open() as nothing:
            traced = launcher.run("-q", "--no-png", *arguments, status=0, stdin=nothing)
            expected = subprocess.run(
                [sys.executable, *arguments],
                cwd=launcher.directory,
                env=environment(),
                stdin=nothing,
                capture_output=True,
                text=True,
            )
        assert traced.stdout == expected.stdout
    assert (launcher.directory / "package.part.trace").is_dir()
    assert (launcher.directory / "command.trace").is_dir()


def test_directory_with_main_and_program_from_stdin(launcher: Launcher) -> None:
    application = launcher.directory / "application"
    application.mkdir()
    (application / "__main__.py").write_text("import sys; print(sys.argv)")
    assert launcher.run("-q", "--no-png", "application", "1", status=0).stdout == "['application', '1']\n"
    read = launcher.run("-q", "--no-png", "-", "1", input="import sys; print(sys.argv)", status=0)
    assert read.stdout == "['-', '1']\n"
    assert (launcher.directory / "stdin.trace").is_dir()


def test_standard_input_is_the_program_s(launcher: Launcher) -> None:
    run = launcher.record("print(input() + input())", input="one\ntwo\n")
    assert run.stdout == "onetwo\n"


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("sys.exit()", 0),
        ("sys.exit(7)", 7),
        ("sys.exit('in words')", 1),
        ("sys.exit(-1)", 255),
        ("raise SystemExit(3)", 3),
        ("os._exit(5)", 5),
        ("1 / 0", 1),
        ("raise KeyboardInterrupt", -2),
        ("os.abort()", -6),
        ("os.kill(os.getpid(), 9)", -9),
        ("os.kill(os.getpid(), 15)", -15),
        ("this is no python", 1),
    ],
)
def test_ends_as_it_would(launcher: Launcher, ending: str, status: int) -> None:
    source = f"import os, sys\nprint('out', flush=True)\n{ending}\n"
    run = launcher.record(source, status=status)
    expected = plain(launcher, "program.py")
    assert (run.returncode, run.stdout, run.stderr) == (expected.returncode, expected.stdout, expected.stderr)
    run.load()


def test_traceback_has_no_frame_of_ours(launcher: Launcher) -> None:
    source = """
    import threading

    def inner():
        raise ValueError("seen")

    thread = threading.Thread(target=inner, name="worker")
    thread.start()
    thread.join()
    inner()
    """
    run = launcher.record(source, status=1)
    assert run.stderr == plain(launcher, "program.py").stderr


def test_late_thread_pickles_main_s_classes(launcher: Launcher) -> None:
    # runpy would have taken __main__ away by the time that the thread runs.
    source = """
    import pickle, threading, time

    class Thing:
        pass

    def late():
        time.sleep(0.2)
        print(type(pickle.loads(pickle.dumps(Thing()))).__module__)

    threading.Thread(target=late).start()
    """
    assert launcher.record(source).stdout == "__main__\n"


def test_recording_ends_after_threads_and_atexit_hooks(launcher: Launcher) -> None:
    source = """
    import atexit, threading, time

    def busy(seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass

    def at_exit():
        busy(0.05)
        print("atexit", time.monotonic_ns())

    atexit.register(at_exit)
    threading.Thread(target=lambda: (time.sleep(0.1), busy(0.05)), name="late").start()
    """
    run = launcher.record(source)
    (process,) = (trace := run.load()).processes
    assert process.ended == "stopped"
    assert process.end >= int(run.stdout.split()[1])
    assert "late" in {thread.name for thread in trace.threads}


def test_daemon_threads_at_exit(launcher: Launcher) -> None:
    source = """
    import threading, time

    def spin():
        while True:
            pass

    for n in range(4):
        threading.Thread(target=spin, name=f"daemon {n}", daemon=True).start()
    time.sleep(0.1)
    print("end")
    """
    run = launcher.record(source)
    trace = run.load()
    assert run.stdout == "end\n"
    assert run.stderr == ""
    assert {f"daemon {n}" for n in range(4)} < {thread.name for thread in trace.threads}


def test_next_sitecustomize_is_imported(launcher: Launcher) -> None:
    (launcher.directory / "site").mkdir()
    custom = launcher.directory / "site" / "sitecustomize.py"
    custom.write_text("import sys\nprint('custom', __file__, __name__)\nsys.was_customized = True\n")
    env = environment(PYTHONPATH=os.pathsep.join([str(launcher.directory / "site"), str(ROOT)]))
    source = "import sys, sitecustomize; print(sys.was_customized, sitecustomize.__file__, sys.path[1])"
    launcher.write(source)
    expected = subprocess.run(
        [sys.executable, "program.py"], cwd=launcher.directory, env=env, capture_output=True, text=True
    )
    # The launcher is a Python too, and imports it first.
    first, _, rest = launcher.record(source, env=env).stdout.partition("\n")
    assert first in expected.stdout
    assert rest == expected.stdout
    assert expected.stdout.startswith("custom")

    custom.write_text("1 / 0")
    failed = subprocess.run(
        [sys.executable, "-c", ""], cwd=launcher.directory, env=env, capture_output=True, text=True
    )
    run = launcher.run("-q", "--no-png", "-c", "", env=env)
    assert "ZeroDivisionError" in failed.stderr
    assert run.stderr == 2 * failed.stderr


def test_no_interpreter_option_is_lost(launcher: Launcher) -> None:
    run = launcher.record(
        "import sys; print(sys._xoptions, sys.warnoptions, sys.flags.dev_mode)", flags=("-Xdev", "-Wi")
    )
    assert run.stdout == plain(launcher, "program.py", flags=("-Xdev", "-Wi")).stdout


@pytest.mark.parametrize("flag", ["-I", "-E", "-S"])
def test_options_that_keep_us_out_are_refused(launcher: Launcher, flag: str) -> None:
    launcher.write("print('ran')")
    run = subprocess.run(
        [
            sys.executable,
            flag,
            "-c",
            f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tracer.cli import main; "
            "sys.exit(main(['program.py']))",
        ],
        cwd=launcher.directory,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 2
    assert run.stderr.startswith("gilscope: ") and run.stderr.count("\n") == 1 and flag in run.stderr
    assert run.stdout == ""


def test_little_is_imported_into_the_program(launcher: Launcher) -> None:
    source = "import sys; print(*sys.modules)"
    traced = launcher.record(source).stdout.split()
    added = set(traced) - set(plain(launcher, "program.py").stdout.split())
    assert added.isdisjoint({"numpy", "matplotlib", "rich", "analysis", "tracer", "json", "re"})
    assert added.isdisjoint({"ctypes", "_ctypes"})
    assert "gilscope_recording" in added

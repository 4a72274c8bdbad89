"""Nothing of ours may hurt the program: its descriptors, signals, limits, rights, its view of itself."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import stat
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

import analysis
from tests.launcher.support import Launcher, environment
from tracer import launcher as launching
from tracer.errors import UsageError

BUSY = """
import threading, time
stop = False
def work():
    while not stop:
        time.sleep(0)
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
"""

LOWEST = (
    BUSY
    + """
import os
end, wrong = time.monotonic() + 2, 0
while time.monotonic() < end:
    os.close(0)
    fd = os.open("/dev/null", os.O_RDONLY)
    if fd != 0:
        wrong += 1
        os.dup2(fd, 0)
        os.close(fd)
stop = True
for thread in threads:
    thread.join()
print("wrong", wrong)
"""
)


def test_descriptors_are_the_program_s(launcher: Launcher) -> None:
    """The lowest free number is the one that it closed, however many files the recorder makes meanwhile."""
    assert launcher.record(LOWEST).stdout == "wrong 0\n"
    assert len(launcher.record("pass", options=("--force",)).load().events) > 0


@pytest.mark.parametrize("kib", [32, 96])
def test_the_limit_on_file_sizes_is_kept(launcher: Launcher, kib: int) -> None:
    """The signal of a file that grows beyond it would kill the program, which writes none."""
    source = f"""
    import resource, signal, threading, time
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, ({kib} * 1024, resource.RLIM_INFINITY))
    def work():
        for _ in range(8000):
            time.sleep(0)
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads: thread.start()
    for i in range(1000):  # the limit is another whenever it is looked at
        resource.setrlimit(resource.RLIMIT_FSIZE, ((i % 4 + 1) * {kib} * 1024, resource.RLIM_INFINITY))
        time.sleep(0)
    for thread in threads: thread.join()
    print("ok")
    """
    run = launcher.record(source)
    assert run.stdout == "ok\n"


VIEW = """
import ctypes, json, os, signal, sys, threading, time
def view():
    lines = open("/proc/self/status").read().splitlines()
    status = dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)
    descriptors = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            descriptors[fd] = os.readlink(f"/proc/self/fd/{fd}").split(":")[0]
        except OSError:
            pass  # of the listing itself
    mask = os.umask(0o22)
    os.umask(mask)
    return {
        "descriptors": sorted(fd for fd in descriptors),
        "next": os.dup(1),
        # Without two that are the C library's own: it has them ignored in what posix_spawn starts.
        "signals": [int(status["Sig" + name], 16) & ~0x180000000 for name in ("Pnd", "Blk", "Ign", "Cgt")],
        "handlers": [str(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
        "umask": mask,
        # The least of some looks: a thread that makes a file for the recorder is there for microseconds, or
        # until it has had a CPU for them.
        "threads": min(len(os.listdir("/proc/self/task")) + (time.sleep(0.001) or 0) for _ in range(50)),
        "environment": sorted(os.environ),
        "directory": os.getcwd(),
        "limits": open("/proc/self/limits").read(),
    }
"""

SELF = (
    VIEW
    + """
views = {"at the start": view()}
thread = threading.Thread(target=lambda: views.update({"in a thread": view()}))
thread.start()
thread.join()
read, write = os.pipe()
child = os.fork()
if child == 0:
    os.close(read)
    os.write(write, json.dumps(view()).encode())
    os._exit(0)
os.close(write)
views["in a child"] = json.loads(open(read).read())
os.waitpid(child, 0)
json.dump(views, sys.stdout)
"""
)

# What the recorder adds, and documents: how its Pythons find it, and its native thread if it has one.
ADDED = {
    "PYTHONPATH",
    "GILSCOPE_TRACE",
    "GILSCOPE_CORE",
    "GILSCOPE_CHILDREN",
    "GILSCOPE_STACKS",
    "GILSCOPE_LOCKS",
    "GILSCOPE_BROKER",
    "GILSCOPE_CLOCK",
    "GILSCOPE_SAMPLES",
    "GILSCOPE_NATIVE",
    "GILSCOPE_ARMED",
}
THREADS_ADDED = 1


def check_view(plain: dict[str, Any], traced: dict[str, Any], threads: int = THREADS_ADDED) -> None:
    for moment, before in plain.items():
        after = traced[moment]
        assert set(after["environment"]) - set(before["environment"]) <= ADDED
        assert set(before["environment"]) <= set(after["environment"])
        assert 0 <= after["threads"] - before["threads"] <= threads
        for what in ("descriptors", "next", "signals", "handlers", "umask", "directory", "limits"):
            assert after[what] == before[what], (moment, what)


def test_the_program_sees_itself_as_ever(launcher: Launcher) -> None:
    script = launcher.write(SELF)
    plain = subprocess.run(
        [sys.executable, script.name],
        cwd=launcher.directory,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    run = launcher.run("-q", "--no-png", script.name, status=0)
    check_view(json.loads(plain.stdout), json.loads(run.stdout))


@pytest.mark.parametrize("sched", [False, True])
def test_the_api_s_program_sees_itself_as_ever(launcher: Launcher, sched: bool) -> None:
    script = launcher.write(
        SELF.replace(
            "views = {",
            f"import tracer\nif len(sys.argv) > 1: tracer.start('x', sched={sched})\nviews = {{",
        )
    )
    plain, traced = (
        subprocess.run(
            [sys.executable, script.name, *more],
            cwd=launcher.directory,
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        for more in ([], ["trace"])
    )
    # Where the scheduler is recorded another thread drains what the kernel writes down.
    check_view(json.loads(plain.stdout), json.loads(traced.stdout), THREADS_ADDED + sched)


LOWEST_OF_API = """
import os, sys, threading, tracer
stop, wrong = threading.Event(), []
def work():
    while not stop.is_set():
        os.close(0)
        if os.open(os.devnull, os.O_RDONLY) != 0:
            wrong.append(sorted(os.listdir("/proc/self/fd")))
            return
thread = threading.Thread(target=work)
from tracer import _recorder, sched
thread.start()
for number in range(20):
    sched.start_here(tracer.directory.Path(sys.argv[1]) / str(number))
    sched.stop_here()
stop.set()
thread.join()
print(wrong)
"""


def test_the_scheduler_s_files_take_no_number_of_the_program_s(launcher: Launcher) -> None:
    """It closes 0 and opens again: that gets 0, whatever the recorder opens and closes meanwhile."""
    for number in range(20):
        (launcher.directory / str(number)).mkdir()
    script = launcher.write(LOWEST_OF_API)
    done = subprocess.run(
        [sys.executable, script.name, str(launcher.directory)],
        cwd=launcher.directory,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_files_are_the_owner_s_alone(launcher: Launcher) -> None:
    """Arguments may hold secrets. Whatever the umask: also one that keeps the owner out."""
    run = launcher.record(
        """
        import os, threading, time
        os.umask(0o777)
        def work():
            for _ in range(3000): time.sleep(0)
        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        """
    )
    assert run.stderr == ""
    trace = launcher.directory / "program.trace"
    for path in (trace, *trace.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


DROPS_RIGHTS = """
import os, sys, threading, time
def work():
    for _ in range(6000): time.sleep(0)
    end = time.monotonic() + 1
    while time.monotonic() < end: pass
def threads(name):
    every = [threading.Thread(target=work, name=f"{name} {i}") for i in range(2)]
    for thread in every: thread.start()
    for thread in every: thread.join()
if "chroot" in sys.argv: os.chroot("/proc")
os.setgid(65534)
os.setuid(65534)
threads("server")
child = os.fork()
if child == 0:
    threads("worker")
    os._exit(0)
os.waitpid(child, 0)
print("done", flush=True)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up its rights")
@pytest.mark.parametrize("how", ["setuid", "chroot"])
def test_recording_goes_on_without_rights(launcher: Launcher, how: str) -> None:
    run = launcher.record(DROPS_RIGHTS, how)
    assert (run.stdout, run.stderr) == ("done\n", "")
    trace = run.load()
    assert [process.threads_lost for process in trace.processes] == [0, 0]
    assert all(process.ended == "stopped" for process in trace.processes)
    names = {thread.name for thread in trace.threads}
    assert {"server 0", "server 1", "worker 0", "worker 1"} <= names
    for gil in trace.gils:
        assert (trace.samples["gil"] == gil.index).any(), "code inside its holds was not sampled"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up its rights")
def test_a_thread_s_failure_is_one_thread_s(launcher: Launcher) -> None:
    """The API has no launcher to ask for files."""
    script = launcher.write(
        """
        import os, threading, time, tracer
        def work():
            for _ in range(500): time.sleep(0)
        tracer.start("x", sched=False)
        os.setuid(65534)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        work()
        print("done")
        """
    )
    done = subprocess.run(
        [sys.executable, script.name],
        cwd=launcher.directory,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    trace = analysis.load(launcher.directory / "x")
    (process,) = trace.processes
    assert process.threads_lost == 1 and process.loss is not None and "Permission denied" in process.loss
    assert process.failure is None
    assert process.discarded > 0
    (main,) = trace.threads
    assert main.begin == process.begin
    assert len(trace.events) > 1000


def test_a_process_left_behind_keeps_its_files(launcher: Launcher) -> None:
    """Its main thread has ended, so /proc calls it a zombie; its others write on when the launcher trims."""
    launcher.write(
        """
        import ctypes, threading, time
        def work():
            for _ in range(1500): time.sleep(0)
            time.sleep(2)
            for _ in range(3000): time.sleep(0)
            open("ended.out", "a").write("thread done\\n")
        for _ in range(4): threading.Thread(target=work).start()
        ctypes.CDLL(None).pthread_exit(None)
        """,
        "behind.py",
    )
    launcher.record(
        """
        import subprocess, sys, time
        shell = f"{sys.executable} behind.py; echo status $? >> ended.out"
        none = subprocess.DEVNULL
        subprocess.Popen(["sh", "-c", shell], stdin=none, stdout=none, stderr=none, start_new_session=True)
        time.sleep(1.5)
        """
    )
    out = launcher.directory / "ended.out"
    subprocess.run(
        [
            "sh",
            "-c",
            f"for i in $(seq 100); do grep -q status {shlex.quote(str(out))} && break; sleep 0.2; done",
        ]
    )
    assert out.read_text() == "thread done\n" * 4 + "status 0\n"


def test_an_interpreter_that_is_initialised_again(launcher: Launcher) -> None:
    source = launcher.write(
        r"""
        #include <Python.h>
        int main(void)
        {
            for (int i = 0; i < 3; i++) {
                Py_Initialize();
                PyRun_SimpleString("import threading\n"
                                   "def f():\n"
                                   "  for i in range(300000): pass\n"
                                   "ts = [threading.Thread(target=f, name='r') for _ in range(2)]\n"
                                   "for t in ts: t.start()\n"
                                   "for t in ts: t.join()\n");
                Py_FinalizeEx();
            }
            return 0;
        }
        """,
        "again.c",
    )
    known = sysconfig.get_config_var
    library = f"-lpython{known('LDVERSION')}"
    options = [f"-I{sysconfig.get_path('include')}", f"-L{known('LIBDIR')}", f"-Wl,-rpath,{known('LIBDIR')}"]
    system = shlex.split(f"{known('LIBS')} {known('SYSLIBS')}")
    command = ["gcc", str(source), "-o", str(launcher.directory / "again"), *options, library, *system]
    if shutil.which("gcc") is None or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("this Python can't be embedded here")
    home = {**environment(), "PYTHONHOME": sys.base_prefix}
    launcher.run("-q", "--no-png", "-o", "x.trace", "--exec", "--", "./again", env=home, status=0)
    trace = analysis.load(launcher.directory / "x.trace")
    rounds = [process for process in trace.processes if process.python_version]
    assert len(rounds) == 3
    for process in rounds:
        assert [thread.name for thread in trace.threads if thread.process == process.index].count("r") == 2


def test_a_path_that_no_list_of_paths_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "BOOTSTRAP", Path("/some:where/tracer/bootstrap"))
    with pytest.raises(UsageError, match=r"/some:where/tracer has a ':' in its name.*elsewhere"):
        launching.check_place()

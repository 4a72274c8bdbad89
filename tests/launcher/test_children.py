"""Processes that the program starts are recorded into the same trace, however they begin and end."""

from __future__ import annotations

import os
import signal

import pytest

from tests.launcher.support import Launcher

POOL = """
import multiprocessing, sys

def work(n):
    return sum(range(n))

if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    with multiprocessing.Pool(2) as pool:
        print(sum(pool.map(work, [10_000] * 20)))
        if sys.argv[2] == "close":
            pool.close()
            pool.join()
"""


@pytest.mark.parametrize("ending", ["close", "terminate"])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pool(launcher: Launcher, interpreter: str, method: str, ending: str) -> None:
    run = launcher.record(POOL, method, ending, options=("--python", interpreter))
    assert run.stdout == "999900000\n"
    assert run.stderr == ""
    trace = run.load()
    root, *others = trace.processes
    assert root.ended == "stopped"
    workers = others if method == "fork" else [p for p in others if "spawn_main" in str(p.argv)]
    if method == "forkserver":
        assert len(others) >= 3  # the server and what it forked
    else:
        assert len(workers) == 2 or ending == "terminate"  # it may come before one has begun
    if ending == "close" and method != "forkserver":
        assert {process.ended for process in workers} == {"stopped"}
    for process in trace.processes:
        recorded = process.environment.get("kind") != "sched"  # else only the OS scheduler saw it
        if ending == "terminate" and (process.ended == "killed" or not recorded):
            continue  # it may have been before its first event, or before Python ran in it
        mine = {thread.index for thread in trace.threads if thread.process == process.index}
        assert any((trace.events["thread"] == thread).any() for thread in mine)


def test_process_pool_executor(launcher: Launcher) -> None:
    source = """
    from concurrent.futures import ProcessPoolExecutor

    if __name__ == "__main__":
        with ProcessPoolExecutor(2) as pool:
            print(sum(pool.map(abs, range(100))))
    """
    run = launcher.record(source)
    assert run.stdout == "4950\n"
    assert len(run.load().processes) >= 2


def test_process_joined_has_stopped(launcher: Launcher, interpreter: str) -> None:
    source = """
    import multiprocessing, threading

    def work():
        thread = threading.Thread(target=sum, args=(range(100_000),), name="in the child")
        thread.start()
        thread.join()

    multiprocessing.set_start_method("fork")
    process = multiprocessing.Process(target=work)
    process.start()
    process.join()
    print(process.exitcode)
    """
    run = launcher.record(source, options=("--python", interpreter))
    assert run.stdout == "0\n"
    trace = run.load()
    parent, child = trace.processes
    assert (parent.ended, child.ended, child.ppid) == ("stopped", "stopped", parent.pid)
    names = {thread.name for thread in trace.threads if thread.process == child.index}
    assert names == {"MainThread", "in the child"}


def test_os_fork_in_a_thread(launcher: Launcher, interpreter: str) -> None:
    source = """
    import os, threading, warnings
    warnings.simplefilter("ignore")  # 3.12 warns of forks beside threads

    def fork():
        pid = os.fork()
        if pid == 0:
            threading.current_thread().name = "the child's only one"
            for _ in range(1000):
                os.stat("/")
            os._exit(4)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    thread = threading.Thread(target=fork, name="forker")
    thread.start()
    thread.join()
    """
    run = launcher.record(source, options=("--python", interpreter))
    assert run.stdout == "4\n"
    trace = run.load()
    _, child = trace.processes
    (thread,) = [thread for thread in trace.threads if thread.process == child.index]
    assert thread.name == "the child's only one"
    assert thread.main
    assert child.ended == "stopped"


def test_subprocess_and_exec_of_python(launcher: Launcher, interpreter: str) -> None:
    source = """
    import os, subprocess, sys
    subprocess.run([sys.executable, "-c", "print('sub')"], check=True)
    os.execv(sys.executable, [sys.executable, "-c", "import sys; print('exec'); sys.exit(6)"])
    """
    run = launcher.record(source, status=6, options=("--python", interpreter))
    assert run.stdout == "sub\nexec\n"
    trace = run.load()
    assert len(trace.processes) == 3
    assert len({process.pid for process in trace.processes}) == 2  # the exec kept its pid
    assert len(list(trace.path.glob("*_2"))) == 1


def test_no_children(launcher: Launcher) -> None:
    source = """
    import multiprocessing, os, subprocess, sys
    print(sorted(name for name in os.environ if name.startswith("GILSCOPE_")), os.environ.get("PYTHONPATH"))
    sys.stdout.flush()
    subprocess.run([sys.executable, "-c", "import os; print(os.environ.get('PYTHONPATH'))"])
    if os.fork() == 0:
        os._exit(0)
    os.wait()
    """
    run = launcher.record(source, options=("--no-children",))
    lines = run.stdout.split("\n")
    assert lines[0].startswith("[] ")
    assert lines[1] == lines[0][3:]
    assert "bootstrap" not in run.stdout
    assert len(run.load().processes) == 1


def test_children_that_are_not_python_see_nothing(launcher: Launcher) -> None:
    source = "import subprocess; subprocess.run(['sh', '-c', 'echo $0; exit 3'])"
    run = launcher.record(source, options=("--no-sched",))
    assert (run.stdout, run.stderr) == ("sh\n", "")
    assert len(run.load().processes) == 1


def test_child_that_outlives_the_program(launcher: Launcher) -> None:
    source = """
    import os, time
    child = os.fork()
    if child == 0:
        os.setsid()
        for fd in (0, 1, 2):
            os.close(fd)
        time.sleep(600)
        os._exit(0)
    print(child)
    """
    launcher.write(source)
    run = launcher.run("--no-png", "program.py", status=0)
    os.kill(int(run.stdout), signal.SIGKILL)
    assert "still running" in run.stderr


def test_program_with_many_forks(launcher: Launcher) -> None:
    source = """
    import os
    for n in range(50):
        if os.fork() == 0:
            os._exit(n % 7)
        os.wait()
    """
    trace = launcher.record(source).load()
    assert len(trace.processes) == 51
    assert {process.ended for process in trace.processes} == {"stopped"}


def test_fork_without_exec_in_subprocess(launcher: Launcher) -> None:
    # preexec_fn makes subprocess fork for real: the child runs Python for a moment, then is another program.
    run = launcher.record(
        "import subprocess; subprocess.run(['true'], preexec_fn=lambda: sum(range(1000)), check=True)"
    )
    assert run.stderr == ""
    assert run.load().processes[0].ended == "stopped"


def test_subinterpreter_s_site_does_not_start_again(launcher: Launcher, interpreter: str) -> None:
    source = """
    import sys
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    number = interpreters.create()
    interpreters.run_string(number, "sum(range(1000))")
    if sys.version_info >= (3, 12):
        code = "import threading; t = threading.Thread(target=sum, args=([],)); t.start(); t.join()"
        interpreters.run_string(number, code)
    interpreters.destroy(number)
    print("end")
    """
    run = launcher.record(source, options=("--python", interpreter))
    assert (run.stdout, run.stderr) == ("end\n", "")
    trace = run.load()
    assert len(trace.processes) == 1
    assert trace.processes[0].ended == "stopped"
    version = tuple(map(int, trace.processes[0].python_version.split(".")[:2]))
    assert len(trace.gils) == (2 if version >= (3, 12) else 1)

"""Threads and processes of all kinds are in the recording, each with its beginning, its name and its end."""

from __future__ import annotations

import sys

from tests.launcher.support import Launcher
from tests.sched.support import Recorded, execute, needs_perf, printed, sched_of

pytestmark = needs_perf


def check_lives(recorded: Recorded) -> None:
    """Nobody runs before it is known or after its end, and each is told to end once."""
    begun: dict[int, int] = {}
    lives: dict[int, list[tuple[int, int]]] = {}
    for task in recorded.tasks:
        if task.comm is None:
            lives.setdefault(task.tid, []).append((begun.pop(task.tid), task.time))
        else:
            begun.setdefault(task.tid, task.time)
    assert begun == {}  # all have ended
    for tid, rows in recorded.by_thread().items():
        for begin, end, _ in rows:
            assert any(first <= begin and end <= last for first, last in lives[tid]), tid


def test_five_hundred_threads(launcher: Launcher) -> None:
    run = launcher.record(
        """
        import json, threading, time
        tids = {}
        def work():
            tids[str(threading.get_native_id())] = 0
            for _ in range(5):
                time.sleep(0.001)
                sum(range(1000))
            everyone.wait()
        everyone = threading.Barrier(500)
        threads = [threading.Thread(target=work) for _ in range(500)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(json.dumps(tids))
        """
    )
    recorded = sched_of(run)
    check_lives(recorded)
    assert recorded.by_thread().keys() >= set(map(int, printed(run)))
    assert recorded.discarded == 0


def test_threads_that_live_microseconds(launcher: Launcher) -> None:
    run = launcher.record(
        """
        import _thread, json, threading
        for _ in range(3000):
            lock = _thread.allocate_lock()
            lock.acquire()
            _thread.start_new_thread(lock.release, ())
            lock.acquire()
        print(json.dumps({"pid": __import__("os").getpid()}))
        """
    )
    recorded = sched_of(run)
    check_lives(recorded)
    of_program = [task for task in recorded.tasks if task.pid == printed(run)["pid"]]
    assert sum(task.tid != task.pid for task in of_program) == 3000
    assert len(recorded.by_thread()) == 3001


def test_fork_and_exec(launcher: Launcher) -> None:
    recorded = sched_of(execute(launcher, "sh", "-c", "sleep 0.01; (true; sleep 0.01) & cat /dev/null; wait"))
    check_lives(recorded)
    assert recorded.names == {"sh", "sleep", "cat"}
    (shell,) = (task for task in recorded.tasks[:1])
    (cat,) = recorded.tids("cat")
    first, renamed, *_ = [task for task in recorded.tasks if task.tid == cat]
    assert (first.pid, first.ppid, first.comm) == (cat, shell.pid, "sh")
    assert (renamed.pid, renamed.ppid, renamed.comm) == (cat, shell.pid, "cat")
    parents = {task.tid: task.ppid for task in recorded.tasks if task.comm == "sleep"}
    assert len(parents) == 2
    assert shell.pid in parents.values()


def test_exec_in_a_thread(launcher: Launcher) -> None:
    """It gets the main thread's id; its own is gone without an exit that the kernel tells of."""
    recorded = sched_of(
        launcher.record(
            """
            import os, threading
            threading.Thread(target=os.execv, args=("/bin/sh", ["sh", "-c", "sleep 0.01"])).start()
            threading.Event().wait()
            """
        )
    )
    check_lives(recorded)
    assert recorded.names >= {"sh"}


def test_names_of_threads(launcher: Launcher) -> None:
    recorded = sched_of(
        launcher.record(
            """
            import threading
            from pathlib import Path
            def work():
                Path("/proc/thread-self/comm").write_text("worker bee")
            thread = threading.Thread(target=work); thread.start(); thread.join()
            """
        )
    )
    (bee,) = recorded.tids("worker bee")
    # At its start, by itself, and at its exit; from 3.14 on the interpreter names it too.
    *names, last = [task.comm is None for task in recorded.tasks if task.tid == bee]
    assert last and len(names) >= 2 and not any(names)


def test_threads_that_never_touch_the_interpreter(launcher: Launcher) -> None:
    """As a library in another language starts them."""
    run = launcher.record(
        """
        import ctypes, json, time
        libc = ctypes.CDLL(None)
        thread = ctypes.c_ulong()
        usleep = ctypes.cast(libc.usleep, ctypes.c_void_p)
        assert libc.pthread_create(ctypes.byref(thread), None, usleep, ctypes.c_void_p(20000)) == 0
        assert libc.pthread_join(thread, None) == 0
        print(json.dumps({"pid": __import__("os").getpid()}))
        """
    )
    recorded = sched_of(run)
    check_lives(recorded)
    pid = printed(run)["pid"]
    (native,) = {task.tid for task in recorded.tasks if task.pid == pid and task.tid != pid}
    first, second = recorded.by_thread()[native][0], recorded.by_thread()[native][-1]
    assert second[0] - first[1] >= 20_000_000  # asleep between the two


def test_python_in_a_command(launcher: Launcher) -> None:
    """A CPython anywhere in the command has its GIL lanes."""
    script = launcher.write("print('hello')")
    run = execute(launcher, "sh", "-c", f"{sys.executable} {script}; true")
    assert run.stdout == "hello\n"
    (process,) = (path for path in (run.directory / "program.trace").iterdir() if path.name != "sched")
    assert int(process.name) in {task.pid for task in sched_of(run).tasks}


def test_program_alone(launcher: Launcher) -> None:
    """With --no-children nothing of the processes that it starts, however soon they come."""
    run = launcher.record(
        """
        import json, os, subprocess, threading
        for _ in range(3):
            subprocess.run(["true"])
        thread = threading.Thread(target=sum, args=(range(10_000),))
        thread.start()
        thread.join()
        print(json.dumps({"pid": os.getpid(), "thread": thread.native_id}))
        """,
        options=("--no-children",),
    )
    recorded = sched_of(run)
    check_lives(recorded)
    assert recorded.by_thread().keys() == set(printed(run).values())
    for _ in range(10):
        run = execute(launcher, "sh", "-c", "true; (exit 0); /bin/true", options=("--no-children", "--force"))
        assert sched_of(run).names == {"sh"}

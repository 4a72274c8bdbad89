"""Recording from inside: the threads that are there already, those to come, and forked children."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import analysis
from tests.launcher.support import Launcher, Run, environment
from tests.sched.support import Recorded, needs_perf, printed

pytestmark = needs_perf


def run(launcher: Launcher, source: str, *flags: str) -> Run:
    """Run a program that records itself into out.trace; it must not say anything on stderr."""
    program = launcher.write(source)
    done = subprocess.run(
        [sys.executable, *flags, str(program)],
        cwd=launcher.directory,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    trace = launcher.directory / "out.trace"
    assert analysis.validate(analysis.load(trace)) == []
    return Run(launcher.directory, 0, done.stdout, "")


def recorded(run: Run) -> Recorded:
    return Recorded(run.directory / "out.trace/sched")


def test_threads_that_lived_before(launcher: Launcher) -> None:
    """Their time on a CPU agrees with their own clocks."""
    done = run(
        launcher,
        """
        import json, threading, time, tracer
        tids = {}
        def work(seconds):
            begun.wait()
            begin = time.thread_time_ns()
            while time.thread_time_ns() - begin < seconds * 1e9:
                sum(range(1000))
            tids[threading.get_native_id()] = time.thread_time_ns() - begin
        begun = threading.Event()
        threads = [threading.Thread(target=work, args=(seconds,)) for seconds in (0.1, 0.05, 0.02)]
        for thread in threads: thread.start()
        with tracer.trace("out.trace"):
            begun.set()
            work(0.1)
            for thread in threads: thread.join()
        print(json.dumps(tids))
        """,
    )
    on_cpu = recorded(done).on_cpu()
    for tid, clock in printed(done).items():
        # What was not clocked is small; what a host takes away counts here and not there.
        assert 0.98 * clock - 1_000_000 <= on_cpu[int(tid)] <= 1.3 * clock + 10_000_000


def test_one_thread_that_never_leaves_its_cpu(launcher: Launcher) -> None:
    """Nothing happens to it, and it is seen all the same."""
    done = run(
        launcher,
        """
        import json, os, time, tracer
        with tracer.trace("out.trace"):
            begin = time.thread_time_ns()
            sum(range(1_000_000))
            used = time.thread_time_ns() - begin
        print(json.dumps({os.getpid(): used}))
        """,
    )
    ((pid, used),) = printed(done).items()
    assert recorded(done).on_cpu()[int(pid)] >= 0.98 * used


def test_new_threads_and_forked_children(launcher: Launcher) -> None:
    done = run(
        launcher,
        """
        import json, os, subprocess, threading, tracer
        with tracer.trace("out.trace"):
            thread = threading.Thread(target=sum, args=(range(100_000),))
            thread.start()
            thread.join()
            tid = thread.native_id
            child = os.fork()
            if child == 0:
                sum(range(100_000))
                os._exit(0)
            os.waitpid(child, 0)
            subprocess.run(["true"])
        print(json.dumps({"pid": os.getpid(), "thread": tid, "child": child}))
        """,
    )
    found = printed(done)
    tasks = {task.tid: task for task in recorded(done).tasks if task.comm is not None}
    assert tasks[found["thread"]].pid == found["pid"]
    assert tasks[found["child"]].ppid == found["pid"]
    assert recorded(done).names >= {"true"}
    assert recorded(done).by_thread().keys() >= set(found.values())


def test_nothing_is_left(launcher: Launcher) -> None:
    """Neither a thread nor a file nor a limit changed; and it can be done again."""
    run(
        launcher,
        """
        import os, resource, tracer
        def state():
            return (sorted(os.listdir("/proc/self/fd")), os.listdir("/proc/self/task"),
                    resource.getrlimit(resource.RLIMIT_NOFILE))
        with tracer.trace("out.trace"):
            pass
        before = state()
        with tracer.trace("out.trace", force=True):
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == before[2]
        assert state() == before
        """,
    )


def test_program_that_closes_every_file(launcher: Launcher) -> None:
    """As a daemon does. It may use the numbers again, too; they are its own then."""
    done = run(
        launcher,
        """
        import json, os, time, tracer
        tracer.start("out.trace")
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        mine = [os.open("/dev/null", os.O_RDONLY) for _ in range(50)]
        for _ in range(100):
            time.sleep(0.001)
        time.sleep(0.3)
        tracer.stop()
        for fd in mine:
            os.fstat(fd)
        print(json.dumps({"pid": os.getpid()}))
        """,
    )
    assert len(recorded(done).by_thread()[printed(done)["pid"]]) >= 1


def test_left_out(launcher: Launcher) -> None:
    done = run(
        launcher,
        """
        import tracer
        with tracer.trace("out.trace", sched=False):
            pass
        """,
    )
    assert not Path(done.directory, "out.trace/sched").exists()


def test_many_threads_that_lived_before(launcher: Launcher) -> None:
    done = run(
        launcher,
        """
        import json, threading, tracer
        def work():
            tids.append(threading.get_native_id())
            begun.wait()
        begun = threading.Event()
        tids = []
        threads = [threading.Thread(target=work) for _ in range(500)]
        for thread in threads: thread.start()
        with tracer.trace("out.trace"):
            begun.set()
            for thread in threads: thread.join()
        print(json.dumps({tid: 0 for tid in tids}))
        """,
    )
    assert recorded(done).by_thread().keys() >= set(map(int, printed(done)))


def test_fork_does_not_warn_of_our_thread(launcher: Launcher) -> None:
    run(
        launcher,
        """
        import os, tracer
        with tracer.trace("out.trace"):
            for _ in range(3):
                child = os.fork()
                if child == 0:
                    os._exit(0)
                os.waitpid(child, 0)
        """,
        "-W",
        "error",
    )

"""Recording from inside a program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.launcher.support import Launcher, Run, environment


def run(launcher: Launcher, source: str, status: int = 0) -> Run:
    script = launcher.write(source)
    done = subprocess.run(
        [sys.executable, script.name],
        cwd=launcher.directory,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == status, done.stderr
    return Run(launcher.directory, done.returncode, done.stdout, done.stderr)


def test_block(launcher: Launcher) -> None:
    done = run(
        launcher,
        """
        import threading, tracer

        def countdown(n):
            while n:
                n -= 1

        with tracer.trace("out.trace") as path:
            names = "worker 1", "worker 2"
            threads = [threading.Thread(target=countdown, args=(200_000,), name=name) for name in names]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        threading.Thread(target=countdown, args=(1000,), name="afterwards").start()
        print(path)
        """,
    )
    assert Path(done.stdout.strip()) == launcher.directory / "out.trace"
    trace = done.load("out.trace")
    assert [thread.name for thread in trace.threads] == ["MainThread", "worker 1", "worker 2"]
    assert trace.processes[0].ended == "stopped"


def test_start_and_stop_again_and_again(launcher: Launcher) -> None:
    done = run(
        launcher,
        """
        import os, sys, threading, tracer
        def patched():
            return threading.Thread.name, threading.Thread._set_native_id, os._exit, sys.getswitchinterval()

        original = patched()
        tracer.stop()  # nothing to stop
        for n in range(5):
            tracer.start(f"{n}.trace", switch_interval=0.001)
            assert sys.getswitchinterval() == 0.001
            thread = threading.Thread(target=sum, args=(range(1000),), name=f"thread {n}")
            thread.start()
            thread.join()
            tracer.stop()
        tracer.stop()
        assert original == patched()
        """,
    )
    for n in range(5):
        trace = done.load(f"{n}.trace")
        # The thread before may end in the OS a moment after join(): then the scheduler knows it.
        took = [trace.threads[index].name for index in sorted(set(trace.events["thread"].tolist()))]
        assert took == ["MainThread", f"thread {n}"]


def test_decorator(launcher: Launcher) -> None:
    done = run(
        launcher,
        """
        import tracer

        @tracer.trace("out.trace", force=True)
        def work(n):
            "docs"
            return n + 1

        assert work(1) + work(2) == 5
        assert (work.__name__, work.__doc__) == ("work", "docs")
        """,
    )
    done.load("out.trace")


def test_errors(launcher: Launcher) -> None:
    done = run(
        launcher,
        """
        import os, tracer

        def refused(path, **options):
            try:
                tracer.start(path, **options)
            except tracer.RecordingError as error:
                print(error)
            else:
                raise SystemExit(f"{path} was not refused")

        os.mkdir("mine"); open("mine/file", "w").close()
        refused("mine")
        refused("mine", force=True)
        refused("no/where")
        with tracer.trace("out.trace"):
            refused("other.trace")
        refused("out.trace")
        try:
            tracer.start("x.trace", switch_interval=-1)
        except ValueError:
            pass
        assert not os.path.exists("x.trace") and not os.path.exists("other.trace")
        with tracer.trace("y.trace"):
            pass
        """,
    )
    assert done.stdout.count("\n") == 5
    assert "already" in done.stdout
    done.load("out.trace")
    done.load("y.trace")


def test_exception_passes_and_the_trace_is_whole(launcher: Launcher) -> None:
    done = run(
        launcher,
        """
        import tracer
        try:
            with tracer.trace("out.trace"):
                1 / 0
        except ZeroDivisionError:
            print("passed")
        """,
    )
    assert done.stdout == "passed\n"
    assert done.load("out.trace").processes[0].ended == "stopped"


def test_end_of_the_program_ends_the_recording(launcher: Launcher) -> None:
    source = "import sys, tracer; tracer.start('out.trace'); sys.exit(3)"
    assert run(launcher, source, status=3).load("out.trace").processes[0].ended == "stopped"


def test_threads_from_before_and_after(launcher: Launcher) -> None:
    done = run(
        launcher,
        """
        import threading, time, tracer
        go_on = threading.Event()

        def work():
            while not go_on.wait(0.001):
                sum(range(1000))

        early = threading.Thread(target=work, name="early")
        early.start()
        tracer.start("out.trace")
        late = threading.Thread(target=work, name="late")
        late.start()
        time.sleep(0.1)
        tracer.stop()
        go_on.set()
        early.join()
        late.join()
        """,
    )
    trace = done.load("out.trace")
    early = next(thread for thread in trace.threads if thread.name == "early")
    late = next(thread for thread in trace.threads if thread.name == "late")
    assert early.begin == trace.processes[0].begin < late.begin
    assert late.end == trace.processes[0].end


def test_forked_child_of_a_recording(launcher: Launcher) -> None:
    done = run(
        launcher,
        """
        import os, tracer
        with tracer.trace("out.trace"):
            pid = os.fork()
            if pid == 0:
                sum(range(10_000))
                os._exit(0)
            os.waitpid(pid, 0)
        """,
    )
    parent, child = done.load("out.trace").processes
    assert (child.ppid, child.ended) == (parent.pid, "stopped")


def test_under_the_launcher(launcher: Launcher) -> None:
    source = """
    import tracer
    try:
        tracer.start("inner.trace")
    except tracer.RecordingError as error:
        print(error)
    """
    done = launcher.record(source)
    assert "already" in done.stdout
    assert done.load().processes[0].ended == "stopped"
    assert not (launcher.directory / "inner.trace").exists()


def test_import_is_light(launcher: Launcher) -> None:
    source = (
        "import sys, tracer; print(sorted({'numpy', 'matplotlib', 'rich', 'argparse'} & set(sys.modules)))"
    )
    assert run(launcher, source).stdout == "[]\n"

"""The flight recorder: what is on the disk is the last part of the recording, a trace in itself."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import analysis
from analysis.reader.format import Event
from analysis.tables.load import known_from
from tests.analysis.scenes import one_thread
from tests.launcher.keep.kills import BUSY, check, kill_once
from tests.launcher.support import Launcher, environment
from tests.synthetic import TraceWriter
from tracer import directory
from tracer.keep import snapshots
from tracer.keep.keeper import Keeper, Policy, Trigger
from tracer.keep.streams import Streams, now

QUIET = ("-q", "--no-png", "--no-sched")


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 100
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@contextmanager
def recorded(launcher: Launcher, source: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A launcher whose program is being recorded; it is killed, with the program, at the end."""
    launcher.write(source)
    process = subprocess.Popen(
        launcher.command(*options, "program.py"),
        cwd=launcher.directory,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        until(lambda: program(launcher) is not None)
        yield process
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.communicate()


def program(launcher: Launcher) -> int | None:
    names = [path.parent.name for path in launcher.directory.glob("program.trace/*/names")]
    return next((int(name) for name in names if name.isdecimal()), None)


def used(path: Path) -> int:
    return sum(512 * file.stat().st_blocks for file in path.rglob("*") if file.exists())


def test_the_last_part_is_kept(launcher: Launcher) -> None:
    trace = launcher.directory / "program.trace"
    with recorded(launcher, BUSY, "-q", "--no-png", "--keep", "300ms") as process:
        until(lambda: known_from(trace) is not None)
        time.sleep(1)
        pid = program(launcher)
        assert pid is not None
        os.kill(pid, signal.SIGTERM)
        assert process.wait(100) == -signal.SIGTERM
    loaded = analysis.load(trace)
    assert analysis.validate(loaded) == []
    begun = loaded.processes[0].environment["recording_start"]
    assert isinstance(begun, int) and loaded.begin > begun
    assert {"worker-0", "worker-1", "worker-2"} <= {thread.name for thread in loaded.threads}
    gone = [file for file in trace.glob("*/gil_*") if 512 * file.stat().st_blocks < file.stat().st_size // 2]
    assert gone  # most of its length is a hole
    assert all(code.name for code in loaded.codes)  # code that was first seen long ago
    if shutil.which("babeltrace2"):
        assert subprocess.run(["babeltrace2", str(trace)], stdout=subprocess.DEVNULL).returncode == 0


def test_a_limit_is_kept_and_said_once(launcher: Launcher) -> None:
    trace = launcher.directory / "program.trace"
    with recorded(launcher, BUSY, *QUIET, "--limit", "16MB") as process:
        until(lambda: known_from(trace) is not None)
        sizes = []
        for _ in range(20):
            time.sleep(0.1)
            sizes.append(used(trace))
        os.killpg(process.pid, signal.SIGTERM)
        assert process.stderr is not None
        said = process.stderr.read()
    assert max(sizes) < 2 * 16e6
    assert said.count("its oldest part is given up from here on") == 1
    assert analysis.validate(analysis.load(trace)) == []


@pytest.mark.parametrize("number", range(4))
def test_a_trace_is_left_whatever_is_killed(tmp_path: Path, number: int) -> None:
    options = ("--keep", "200ms") if number % 2 else ("--limit", "16MB")
    check(kill_once(tmp_path, options, launcher_too=number < 2, after=0.05 * number))


def test_without_its_launcher_a_recording_ends(launcher: Launcher) -> None:
    source = "import os, time\nend = False\nwhile True:\n    os.stat('/')\n    time.sleep(0.001)\n"
    with recorded(launcher, source, *QUIET, "--keep", "10s") as process:
        pid = program(launcher)
        process.kill()
        process.wait(60)
        trace = launcher.directory / "program.trace"
        until(lambda: analysis.load(trace, salvage=True).processes[0].failure)
        assert Path(f"/proc/{pid}").exists()  # the program goes on
    loaded = analysis.load(trace)
    assert analysis.validate(loaded) == []
    assert "the launcher that kept the trace small has gone" in str(loaded.processes[0].failure)


def test_a_process_ends_when_it_is_seen_to_have_ended(tmp_path: Path) -> None:
    """Its last packet may have begun long before, where little happened: that is no reason to give it up."""
    trace = one_thread(tmp_path / "quiet.trace")
    (place,) = directory.process_directories(trace)
    os.utime(place / "metadata", (0, 0))
    streams = Streams(trace)
    streams.look()
    streams.give_up_before(now())
    assert place.is_dir()
    streams.give_up_before(now())
    assert not place.is_dir()


def test_processes_that_ended_long_ago_are_given_up(launcher: Launcher) -> None:
    source = """
    import os, subprocess, sys, time
    for _ in range(3):
        subprocess.run([sys.executable, "-c", "pass"], check=True)
    print("run", flush=True)
    while True:
        time.sleep(0.001)
    """
    with recorded(launcher, source, *QUIET, "--keep", "200ms") as process:
        assert process.stdout is not None
        process.stdout.readline()
        until(lambda: len(list((launcher.directory / "program.trace").glob("[0-9]*"))) == 1)


SNAPSHOTS = """
import sys, threading, tracer
def work():
    while True:
        sum(range(10000))
for number in range(2):
    threading.Thread(target=work, name=f"worker-{number}", daemon=True).start()
for line in sys.stdin:
    try:
        tracer.snapshot(line.strip())
        print("asked", flush=True)
    except tracer.RecordingError as error:
        print(error, flush=True)
"""


def test_the_program_asks_for_a_snapshot(launcher: Launcher) -> None:
    with recorded(launcher, SNAPSHOTS, *QUIET, "--keep", "10s") as process:
        assert process.stdin is not None and process.stdout is not None
        for answer in ("asked", "exists: choose another place"):
            print(launcher.directory / "copy.trace", file=process.stdin, flush=True)
            assert answer in process.stdout.readline()
            until((launcher.directory / "copy.trace").exists)
        pid = program(launcher)
        launcher.run("snapshot", str(pid), "-o", "other.trace", "--last", "1s", status=0)
        said = launcher.run("snapshot", "program.trace", "-o", "other.trace", status=2).stderr
        assert "other.trace exists" in said
    for name in ("copy.trace", "other.trace"):
        trace = analysis.load(launcher.directory / name)
        assert analysis.validate(trace) == []
        assert {"worker-0", "worker-1"} <= {thread.name for thread in trace.threads}
        if shutil.which("babeltrace2"):
            for process_directory in trace.path.iterdir():
                done = subprocess.run(["babeltrace2", process_directory], stdout=subprocess.DEVNULL)
                assert done.returncode == 0


def test_all_may_be_stopped_for_a_while(launcher: Launcher) -> None:
    """As when the machine sleeps: what is kept is the last part, and nobody takes the launcher for gone."""
    trace = launcher.directory / "program.trace"
    with recorded(launcher, BUSY, *QUIET, "--keep", "300ms") as process:
        until(lambda: known_from(trace) is not None)
        os.killpg(process.pid, signal.SIGSTOP)
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGCONT)
        before = known_from(trace)
        until(lambda: known_from(trace) != before)  # they go on
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(100)
    loaded = analysis.load(trace)
    assert analysis.validate(loaded) == []
    assert loaded.processes[0].failure is None


def test_a_clock_of_its_own(launcher: Launcher) -> None:
    """In a time namespace: the scheduler's events would be at other times than the program's."""
    inside = ["unshare", "--time", "--monotonic", "100000", "--fork"]
    if subprocess.run([*inside, "true"], capture_output=True).returncode:
        pytest.skip("no time namespace can be made here")
    launcher.write("import sys; print('begun', flush=True); sys.stdin.readline()")
    command = launcher.command("--no-png", "--keep", "10s", "program.py")
    process = subprocess.Popen(
        [*inside, *command],
        cwd=launcher.directory,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    pid = program(launcher)
    said = launcher.run("attach", str(pid), status=2).stderr
    assert f"nsenter -T -t {pid}" in said or "can't be attached to" in said  # before 3.14
    _, errors = process.communicate("\n", timeout=100)
    assert process.returncode == 0
    assert errors.count("no scheduler events: in a time namespace") == 1
    loaded = analysis.load(launcher.directory / "program.trace")
    assert analysis.validate(loaded) == [] and loaded.scheduling is None
    assert loaded.end - loaded.begin < 50_000 * 10**9


IN_ANOTHER_TIME = """
import os, subprocess, sys, time
def times():  # of this process, and of one that is forked in it
    if os.fork() == 0:
        os.stat("/")
        os._exit(0)
    os.wait()
if sys.argv[1:]:
    times()
else:
    inside = ["unshare", "--time", "--monotonic", "100000", "--fork", sys.executable, __file__, "child"]
    sys.exit(subprocess.run(inside).returncode)
"""


def test_a_child_with_a_clock_of_its_own(launcher: Launcher) -> None:
    if subprocess.run(["unshare", "--time", "--fork", "true"], capture_output=True).returncode:
        pytest.skip("no time namespace can be made here")
    loaded = launcher.record(IN_ANOTHER_TIME).load()
    assert analysis.validate(loaded) == []
    recorded = [each for each in loaded.processes if (loaded.path / str(each.pid)).is_dir()]
    parent, child, forked = recorded  # the others are as the scheduler saw them
    assert (forked.ppid, child.begin > parent.begin) == (child.pid, True)
    assert child.end < parent.end < parent.begin + 50_000 * 10**9


def test_who_is_not_recorded_gets_no_snapshot(launcher: Launcher) -> None:
    launcher.write(SNAPSHOTS)
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=launcher.directory,
        env=environment(),
        input="x.trace\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "this process is not recorded\n"


def test_a_trigger_leaves_a_snapshot(launcher: Launcher) -> None:
    with recorded(launcher, SNAPSHOTS, *QUIET, "--snapshot-on", "wait > 1ms", "--snapshot-every", "1h"):
        copy = launcher.directory / "program.snapshot-1.trace"
        until(copy.exists)
    assert analysis.validate(analysis.load(copy)) == []
    assert not (launcher.directory / "program.snapshot-2.trace").exists()


def test_what_is_no_time_size_or_limit(launcher: Launcher) -> None:
    launcher.write("pass")
    for options, said in (
        (("--keep", "soon"), "--keep soon: a time, as in"),
        (("--limit", "1000"), "--limit 1000: a size, as in 200MB or 1GB"),
        (("--limit", "1MB"), "16MB or more"),
        (("--snapshot-on", "weight > 1ms"), "no figure"),
    ):
        done = launcher.run(*options, "program.py", status=2)
        assert said in done.stderr and done.stderr.count("\n") == 1


def test_what_has_ended_is_kept(tmp_path: Path) -> None:
    """The last so long is what was last recorded, however long its launcher takes to end."""
    trace = tmp_path / "ended.trace"
    with TraceWriter(trace) as writer:
        writer.process(100).events([(100, 1000, "gil_acquired"), (100, 2000, "gil_released")])
    with Keeper(trace, Policy(0.001, 1 << 30, True), Trigger((), 60)):
        time.sleep(0.3)
    (process,) = analysis.load(trace).processes
    assert process.pid == 100


def test_looks_are_as_far_apart_as_the_limit_lets_them() -> None:
    size = 200 * 10**6
    policy = Policy(30, size, True)
    assert [policy.pause(used, 10) for used in (0, size // 2, policy.most)] == [1, 0.5, 0.125]
    assert policy.pause(size, 0) == policy.pause(2 * size, 0) == 0.1
    assert policy.pause(size, 512) == pytest.approx(0.3)  # each look is at all of them
    assert Policy(3, size, True).pause(0, 0) == pytest.approx(0.3)
    assert Policy(0.2, size, True).pause(0, 0) == 0.1
    assert Policy(None, size, True).pause(0, 0) == Policy(None, size, False).pause(size, 0) == 1


def test_a_snapshot_takes_little_memory(tmp_path: Path) -> None:
    """Of who copies, which may be the launcher: streams are as large as --limit lets them be."""
    with TraceWriter(tmp_path / "t") as writer:
        ticks = np.arange(100_000)
        process = writer.process(100).name(100, 0, "main")
        process.columns(100, ticks, np.where(ticks % 2, Event.GIL_RELEASED, Event.GIL_ACQUIRED))
    tracemalloc.start()
    snapshots.copy(tmp_path / "t", tmp_path / "copy")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20 * directory.PACKET_SIZE < (tmp_path / "t" / "100" / "gil_0").stat().st_size
    copied, whole = analysis.load(tmp_path / "copy"), analysis.load(tmp_path / "t")
    assert np.array_equal(copied.events, whole.events)

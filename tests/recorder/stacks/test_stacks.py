"""Stacks of real programs, against what the programs themselves know."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import analysis
from tests.launcher.support import Launcher, Run, environment

HERE = Path(__file__).parent
DEPTH = 64  # GS_STACK_DEPTH


@pytest.fixture
def with_stacks(interpreter: str) -> str:
    """An interpreter whose stacks can be read."""
    asked = [interpreter, "-c", "import sys; print(sys.version_info >= (3, 11))"]
    if subprocess.run(asked, capture_output=True, text=True, check=True).stdout != "True\n":
        pytest.skip("stacks are of 3.11 and later")
    return interpreter


def said_of_stacks(run: Run) -> str:
    """What the metadata says."""
    (metadata,) = run.directory.glob("program.trace/*/metadata")
    found = re.search(r'\n  stacks = "(.*)";\n', metadata.read_text())
    assert found is not None
    return found[1]


def frames_by_thread(trace: analysis.Trace) -> dict[str, list[int]]:
    """The frames of each thread's waits, and of the releases that somebody waited for."""
    found: dict[str, list[int]] = {thread.name: [] for thread in trace.threads}
    names = [thread.name for thread in trace.threads]
    for thread, frame in zip(trace.waits["thread"], trace.wait_frames, strict=True):
        found[names[thread]].append(int(frame))
    for gil in trace.gils:
        for thread, frame in zip(trace.holds(gil).thread, trace.release_frames(gil), strict=True):
            found[names[thread]].append(int(frame))
    return {name: [frame for frame in frames if frame >= 0] for name, frames in found.items()}


def stack(trace: analysis.Trace, frame: int) -> list[tuple[str, str, int]]:
    """Name, file and line of a frame and its callers, innermost first."""
    frames = []
    while frame >= 0:
        caller, code, line = trace.frames[frame]
        frames.append((trace.codes[code].name, trace.codes[code].file, int(line)))
        frame = caller
    return frames


# Who calls whom in stacks_program.py. What it calls in other files (asyncio) is in between.
CHAINS = {
    "nested": ["nested", "nested.<locals>.middle", "nested.<locals>.middle.<locals>.innermost"],
    "sorting": ["sorting", "sorting.<locals>.<lambda>"],
    "matching": ["matching"],
    "generating": ["generating", "generating.<locals>.delegating", "generating.<locals>.numbers"],
    "looping": ["looping", "looping.<locals>.waits"],
    "defining": ["defining", "defining.<locals>.Body", "defining.<locals>.Body.Inner"],
    "executing": ["executing", "<module>"],
    "größe": ["größe", "größe.<locals>.名前"],
    "raising": ["raising"],
}


def is_own(file: str) -> bool:
    return file.endswith("program.py") or file == "<exec'd>"


def test_frames_are_where_the_program_was(launcher: Launcher, with_stacks: str) -> None:
    shutil.copy(HERE / "stacks_program.py", launcher.directory / "program.py")
    run = launcher.run(
        *("-q", "--no-png", "--no-sched", "--switch-interval", "0.0005", "--python", with_stacks),
        *("program.py", "25", "functions.json"),
        status=0,
    )
    assert said_of_stacks(run) == "on"
    trace = run.load()
    functions = json.loads((launcher.directory / "functions.json").read_text())
    own = {code.index: functions[code.name] for code in trace.codes if code.file.endswith("program.py")}
    assert all(trace.codes[index].first_line == function["first"] for index, function in own.items())
    assert all(line in own[code]["lines"] for _, code, line in trace.frames.tolist() if code in own)
    seen = set()
    for kind, frames in frames_by_thread(trace).items():
        for frame in set(frames) if kind in CHAINS else ():
            path = [name for name, file, _ in reversed(stack(trace, frame)) if is_own(file)]
            seen.update(path)
            assert path[:1] in ([], ["run"])
            called = path[1:-1] if path[-1:] == ["spin"] else path[1:]
            assert called == CHAINS[kind][: len(called)] or called == ["looping", "looping.<locals>.gathers"]
    assert seen >= {name for chain in CHAINS.values() for name in chain} - {"<module>"}


def test_a_deep_recursion_has_its_innermost_frames(launcher: Launcher, with_stacks: str) -> None:
    source = """
    import threading, time
    def down(n):
        if n == 0:
            begun.append(n)
            while len(begun) < 2: time.sleep(0.001)
            for i in range(100):
                sum(range(20000))
                time.sleep(0)
        else:
            down(n - 1)
    begun = []
    threads = [threading.Thread(target=down, args=(n,), name=str(n)) for n in (200, 300)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    """
    trace = launcher.record(source, options=("--no-sched", "--python", with_stacks)).load()
    found = frames_by_thread(trace)
    for frame in set(found["200"] + found["300"]):
        frames = stack(trace, frame)
        assert len(frames) <= DEPTH
        assert len(frames) < DEPTH or {name for name, _, _ in frames} == {"down"}
    assert any(len(stack(trace, frame)) == DEPTH for frame in found["200"])


def test_no_name_of_code_that_is_gone(launcher: Launcher, with_stacks: str) -> None:
    """Thousands of functions, each in memory that another had."""
    source = """
    import threading, time
    def run(thread):
        for i in range(600):
            name = "f%d_%04d" % (thread, i)
            space = {"time": time}
            source = "\\n" * (i % 50) + "def %s():\\n for _ in range(2000): pass\\n time.sleep(0)\\n" % name
            exec(compile(source, "file of " + name, "exec"), space)
            space[name]()
    threads = [threading.Thread(target=run, args=(n,), name=str(n)) for n in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    """
    run = launcher.record(
        source, options=("--no-sched", "--switch-interval", "0.0001", "--python", with_stacks)
    )
    trace = run.load()
    found = frames_by_thread(trace)
    short_lived = 0
    for thread in "0123":
        for frame in found[thread]:
            for name, file, line in stack(trace, frame):
                if file.startswith("file of "):
                    assert name in ("<module>", file.removeprefix("file of "))
                    assert name == "<module>" or name[1] == thread
                    number = int(file[-4:])
                    assert line == 0 or number % 50 < line <= number % 50 + 3
                    short_lived += 1
    assert short_lived > 50


def test_none_without(launcher: Launcher, with_stacks: str) -> None:
    source = """
    import threading
    threads = [threading.Thread(target=lambda: [sum(range(1000)) for _ in range(2000)]) for _ in range(3)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    """
    options = ("--no-sched", "--no-stacks", "--switch-interval", "0.0005", "--python", with_stacks)
    run = launcher.record(source, options=options)
    trace = run.load()
    assert said_of_stacks(run) == "off"
    assert len(trace.waits) > 0 and len(trace.codes) == len(trace.frames) == 0
    assert trace.wait_frames.max() == -1


def test_a_forked_child_has_frames_of_its_own(launcher: Launcher, with_stacks: str) -> None:
    source = """
    import os, threading, time
    def parents():
        while not over:
            sum(range(2000)); time.sleep(0)
    def childs():
        for _ in range(100):
            sum(range(2000)); time.sleep(0)
    over = False
    threads = [threading.Thread(target=parents) for _ in range(3)]
    for thread in threads: thread.start()
    time.sleep(0.05)
    if os.fork() == 0:
        threads = [threading.Thread(target=childs) for _ in range(3)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        os._exit(0)
    assert os.wait()[1] == 0
    over = True
    for thread in threads: thread.join()
    """
    trace = launcher.record(source, options=("--no-sched", "--python", with_stacks)).load()
    assert len(trace.processes) == 2
    names = [{code.name for code in trace.codes if code.process == process} for process in (0, 1)]
    assert "parents" in names[0] - names[1]
    assert "childs" in names[1] - names[0]


def test_daemon_threads_at_the_end_of_the_interpreter(launcher: Launcher, with_stacks: str) -> None:
    """Their thread states are freed while they wait for the GIL."""
    source = """
    import threading, time
    def down(n):
        if n:
            down(n - 1)
        else:
            while True:
                sum(range(100)); time.sleep(0)
    for n in range(8):
        threading.Thread(target=down, args=(n,), daemon=True).start()
    time.sleep(0.02)
    """
    options = ("--no-sched", "--switch-interval", "0.0001", "--python", with_stacks)
    for _ in range(5):
        trace = launcher.record(source, options=("--force", *options)).load()
        assert "down" in {code.name for code in trace.codes}


def test_interpreters_with_gils_of_their_own(launcher: Launcher, with_stacks: str) -> None:
    """Of each GIL the frames are its own interpreter's, also where a thread goes from one to the other."""
    source = """
    import sys, threading, time
    if sys.version_info < (3, 12):
        sys.exit()
    try:
        import _interpreters as interpreters
        new, run = lambda: interpreters.create("isolated"), interpreters.exec
    except ImportError:
        import _xxsubinterpreters as interpreters
        new, run = lambda: interpreters.create(isolated=True), interpreters.run_string
    INSIDE = '''
    import threading, time
    def inside():
        for _ in range(200):
            sum(range(5000)); time.sleep(0)
    threads = [threading.Thread(target=inside) for _ in range(3)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    '''
    def outside():
        for _ in range(1000):
            sum(range(2000)); time.sleep(0)
    def goes():
        interpreter = new()
        run(interpreter, INSIDE.replace("\\\\n    ", "\\\\n"))
        interpreters.destroy(interpreter)
    threads = [threading.Thread(target=call) for call in (goes, goes, outside, outside)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    """
    trace = launcher.record(source, options=("--no-sched", "--python", with_stacks)).load()
    if len(trace.gils) == 1:
        pytest.skip("before 3.12 all interpreters share a GIL")
    for gil in trace.gils:
        names = {
            name
            for frame in set(trace.release_frames(gil).tolist()) - {-1}
            for name, _, _ in stack(trace, frame)
        }
        assert ("inside" in names, "outside" in names) == (gil.number != 0, gil.number == 0)


def test_api(launcher: Launcher) -> None:
    source = """
    import threading, time, tracer
    def work():
        for _ in range(50):
            sum(range(2000)); time.sleep(0)
    def record(path, **options):
        with tracer.trace(path, sched=False, **options):
            threads = [threading.Thread(target=work) for _ in range(3)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
    record("with.trace")
    record("without.trace", stacks=False)
    record("again.trace")
    """
    script = launcher.write(source)
    subprocess.run([sys.executable, script.name], cwd=launcher.directory, env=environment(), check=True)
    found = [analysis.load(launcher.directory / f"{name}.trace") for name in ("with", "without", "again")]
    assert [("work" in {code.name for code in trace.codes}) for trace in found] == [True, False, True]
    assert found[1].wait_frames.max(initial=-1) == -1


IN_A_SUBINTERPRETER = """
import time
def hog():
    for _ in range(200):
        for _ in range(5000): pass
        time.sleep(0)
hog()
"""


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="only 3.11 hides a subinterpreter's state")
def test_code_of_a_subinterpreter_that_shares_the_gil(launcher: Launcher) -> None:
    launcher.write(IN_A_SUBINTERPRETER, "inside.py")
    run = launcher.record(
        """
        import _xxsubinterpreters, threading
        interpreter = _xxsubinterpreters.create(isolated=False)
        code = open("inside.py").read()
        def runs():
            _xxsubinterpreters.run_string(interpreter, code)
        def other():
            for _ in range(3_000_000): pass
        threads = [threading.Thread(target=runs, name="runs"), threading.Thread(target=other)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        """
    )
    trace = run.load()
    innermost = [stack(trace, frame)[0][0] for frame in frames_by_thread(trace)["runs"]]
    assert innermost.count("hog") > 10 * innermost.count("runs")


def test_the_type_of_code_objects_is_as_it_was_after_all(tmp_path: Path) -> None:
    """Only 3.11's has something of ours in it, while the core is installed."""
    source = """
    import ctypes, sys, tracer
    from tracer import _recorder
    type_of_code = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "PyCode_Type"))
    tp_dealloc = ctypes.c_void_p.from_address(type_of_code + 6 * ctypes.sizeof(ctypes.c_void_p))
    before = tp_dealloc.value
    with tracer.trace(sys.argv[1]):
        recorded = tp_dealloc.value
        exec(compile("1 + 1", "gone", "exec"))
    _recorder.uninstall()
    print(before == recorded, before == tp_dealloc.value)
    """
    command = [sys.executable, "-c", textwrap.dedent(source), str(tmp_path / "t")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"{sys.version_info[:2] != (3, 11)} True"

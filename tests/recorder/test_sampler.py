"""Whose code ran inside a hold: samples against the program's own clocks, where its threads had a CPU."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

import analysis
from tests.launcher.support import Launcher, environment
from tests.sched.support import needs_perf
from tests.sched.test_failures import REFUSED

CLOCKS = """
import json, os, sys, threading, time
null, spent = os.open(os.devnull, os.O_WRONLY), {}
def timed(call):
    def run(*arguments):
        begin = time.thread_time(); call(*arguments)
        with_lock = time.thread_time() - begin
        spent[call.__name__] = spent.get(call.__name__, 0) + with_lock
    return run
"""
RUN = """
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
json.dump(spent, open("spent.json", "w"))
"""
IO = f"""{CLOCKS}
@timed
def parse():
    x = 0
    for i in range(20_000): x += i
@timed
def log(): os.write(null, b"x")
def work():
    for _ in range(150): parse(); log()
{RUN}"""
HANDLER = f"""{CLOCKS}
def spin(n):
    while n: n -= 1
def function(name, n):
    exec(f"def {{name}}():\\n n = {{n}}\\n while n: n -= 1", globals())
    globals()[name] = timed(globals()[name])
for name, n in (("a", 12_000), ("b", 5_000), ("c", 2_000), ("d", 1_000)): function(name, n)
def work():
    for _ in range(400): a(); b(); c(); d(); os.write(null, b"x")
{RUN}"""
CALL = f"""{CLOCKS}
data = list(range(60_000))
@timed
def sums(): sum(data)
@timed
def loops():
    n = 4_000
    while n: n -= 1
def work():
    for _ in range(250): sums(); loops()
{RUN}"""


@pytest.mark.parametrize("program", [IO, HANDLER, CALL], ids=["io", "handler", "call"])
@needs_perf
def test_samples_agree_with_the_programs_own_clocks(launcher: Launcher, program: str) -> None:
    trace = launcher.record(program).load()
    spent = json.loads((launcher.directory / "spent.json").read_text())
    assert len(trace.samples) > 20
    frames = trace.samples["frame"][trace.samples["ran"]]
    frames = frames[frames >= 0]
    names = np.array([code.name for code in trace.codes])[trace.frames["code"][frames]]
    total = sum(spent.values())
    for name, time in spent.items():
        seen = np.count_nonzero(names == name) / np.isin(names, list(spent)).sum()
        assert abs(seen - time / total) < 0.1 + 2 / np.sqrt(len(frames)), (name, seen, time / total)
    worst = max(spent, key=lambda name: spent[name])
    blame = analysis.code_blame(trace)
    assert trace.codes[blame.functions["code"][0]].name == worst


ENDS_IN_LOG = """
import os, threading
null = os.open(os.devnull, os.O_WRONLY)
def parse():
    x = 0
    for i in range(40_000): x += i
def log(): os.write(null, b"x")
def work():
    for _ in range(150): parse(); log()
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


@needs_perf
def test_the_line_that_ends_holds_is_not_blamed_for_them(launcher: Launcher) -> None:
    for _ in range(4):
        trace = launcher.record(ENDS_IN_LOG, options=("--force",)).load()
        functions = analysis.code_blame(trace).functions
        names = [trace.codes[code].name if code >= 0 else "" for code in functions["code"]]
        waited = dict(zip(names, functions["waited"].tolist(), strict=True))
        if waited["parse"] >= 0.95 * sum(waited.values()):
            return
    raise AssertionError(waited)


FORKS = """
import os, sys, warnings
warnings.simplefilter("error")
for _ in range(3):
    child = os.fork()
    if child == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
print("as ever")
"""


def test_a_process_of_one_thread_is_one_where_it_forks(launcher: Launcher) -> None:
    """From 3.12 on Python warns of a fork where there are several."""
    assert launcher.record(FORKS).stdout == "as ever\n"


def test_the_helper_does_not_outlive_the_program(launcher: Launcher) -> None:
    """Its main thread ends, the others end, and then nothing is left."""
    done = launcher.record(
        "import ctypes, threading, time\n"
        "threading.Thread(target=lambda: (time.sleep(0.2), print('done', flush=True))).start()\n"
        "ctypes.CDLL(None).pthread_exit(None)\n",
    )
    assert done.stdout == "done\n"


def test_a_container_that_forbids_to_read_memory(launcher: Launcher) -> None:
    """As a seccomp profile does it: process_vm_readv fails with EPERM. One line says what that costs."""
    launcher.write("print(sum(range(10)))")
    forbidden = REFUSED.replace("298", "310").replace("241", "270")
    done = subprocess.run(
        [sys.executable, "-c", forbidden, *launcher.command("--no-png", "--json", "program.py")],
        cwd=launcher.directory,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0 and done.stdout.startswith("45\n")
    said = [line for line in done.stderr.splitlines() if "process_vm_readv" in line]
    assert len(said) == 1 and said[0].startswith("No samples of the code inside holds (process ")
    (process,) = json.loads(done.stdout.removeprefix("45\n"))["processes"]
    assert process["samples"].startswith("off: process_vm_readv is not permitted here")
    trace = analysis.load(launcher.directory / "program.trace")
    assert analysis.validate(trace) == [] and not len(trace.samples)

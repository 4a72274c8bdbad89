"""Whose code ran inside a hold: samples against the program's own clocks, where its threads had a CPU."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import analysis
from analysis.why.code.long_hold_words import sentences
from analysis.why.code.long_holds import long_holds
from tests.launcher.support import Launcher, environment
from tests.recorder.stacks.workloads import WORKLOADS, compared
from tests.sched.support import needs_perf
from tests.sched.test_failures import REFUSED

TRIES = 5
"""Where CPUs are overloaded a try may be off: samples are late there, and come when threads sleep."""


@pytest.mark.parametrize("name", WORKLOADS, ids=["io", "handler", "call"])
@needs_perf
def test_samples_agree_with_the_programs_own_clocks(launcher: Launcher, name: str) -> None:
    """Within 5 points on a quiet machine (benchmarks/samples.py); here as far as noise can't reach."""
    found = []
    for _ in range(TRIES):
        trace = launcher.record(WORKLOADS[name], "2", options=("--force",)).load()
        shares = compared(trace, launcher.directory / "spent.json")
        off = max(abs(told - own) for own, told in shares.values())
        worst = max(shares, key=lambda function: shares[function][0])
        found.append((off, worst == max(shares, key=lambda function: shares[function][1]), shares))
        if off < 0.15 and len(trace.samples) > 20:
            break
    off, first, _ = min(found, key=lambda each: each[0])
    assert off < 0.25, found
    assert first, found


def test_no_samples(launcher: Launcher) -> None:
    program = WORKLOADS["short holds that end in I/O"]
    trace = launcher.record(program, "1", options=("--no-samples",)).load()
    assert trace.processes[0].environment["samples"] == "off"
    assert not len(trace.samples)
    blame = analysis.code_blame(trace)
    assert (blame.functions["waited"] == blame.functions["at_ends"]).all()
    assert blame.known > 0


LATE = """
import json, threading, time
text = json.dumps([{"a": at, "b": [at] * 5} for at in range(60_000)])
def handle(): return json.loads(text)
for _ in range(4): handle(); time.sleep(0.05)
"""


def test_a_long_hold_that_nobody_waited_for_is_told_of(launcher: Launcher) -> None:
    for _ in range(TRIES):
        trace = launcher.record(LATE, options=("--force",)).load()
        said = " ".join(sentences(trace, long_holds(trace), 9))
        if "raw_decode(), decoder.py" in said:
            break
    assert "called from handle(), program.py:4: held the GIL for" in said
    assert "in one piece" in said


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
    assert len(said) == 1 and said[0].startswith("Code inside holds was not sampled (process ")
    (process,) = json.loads(done.stdout.removeprefix("45\n"))["processes"]
    assert process["samples"].startswith("off: process_vm_readv is not permitted here")
    trace = analysis.load(launcher.directory / "program.trace")
    assert analysis.validate(trace) == [] and not len(trace.samples)

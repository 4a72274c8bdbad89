"""Locks under a fake interpreter that counts for itself, plain and under each sanitizer: what the trace has
of waits is what became of them, whatever happens to locks, threads and processes meanwhile.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import analysis
from analysis.model import LockKind, LockOutcome, Process
from analysis.reader.format import Name
from analysis.reader.names import read_names
from analysis.reader.problems import Problems

from .build import instructions_a_call

SCENARIOS = (
    *("queue", "by_old_names", "parked", "timeouts", "signals", "cancel", "many", "forks"),
    *("destroyed", "destroyed_while_waited_for"),
)


def outcomes(trace: analysis.Trace, process: Process) -> list[int]:
    """How many waits of a process ended with the lock, by time and by a signal, and how many were woken."""
    threads = [thread.index for thread in trace.threads if thread.process == process.index]
    waits = trace.lock_waits[np.isin(trace.lock_waits["thread"], threads)]
    wakes = trace.lock_wakes[np.isin(trace.lock_wakes["thread"], threads)]
    ends = (LockOutcome.ACQUIRED, LockOutcome.TIMEOUT, LockOutcome.INTERRUPTED)
    return [*(int(np.count_nonzero(waits["outcome"] == end)) for end in ends), len(wakes)]


def ended_locks(trace: Path) -> list[int]:
    """The numbers of locks whose end is told."""
    (path,) = trace.glob("*/names")
    return [
        record.ref for record in read_names(path, pid=None, problems=Problems()).records.of(Name.LOCK_ENDED)
    ]


@pytest.mark.parametrize("name", SCENARIOS)
def test_waits_are_what_became_of_them(programs: tuple[str, Path], name: str, tmp_path: Path) -> None:
    if programs[0] == "thread" and name == "forks":
        pytest.skip("the thread sanitizer can't go on in a forked child of a threaded process")
    (tmp_path / "t").mkdir()
    done = subprocess.run(
        [programs[1] / "lock_scenarios", name, tmp_path / "t"],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "TSAN_OPTIONS": "halt_on_error=1", "ASAN_OPTIONS": "detect_leaks=0"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    said = {int(line.split()[0]): [int(n) for n in line.split()[1:]] for line in done.stdout.splitlines()}
    trace = analysis.load(tmp_path / "t")
    assert analysis.validate(trace) == []
    assert {process.pid for process in trace.processes} == said.keys()
    for process in trace.processes:
        got, timed_out, interrupted, woken = outcomes(trace, process)
        by_program = said[process.pid]
        assert [timed_out, interrupted] == by_program[1:3]
        if name == "parked":
            assert got > 0
            assert woken > 0
        else:  # what came free on the way is no wait, and who lets go when nobody waits wakes nobody
            assert got <= by_program[0]
            assert woken <= by_program[3]
    locks = trace.locks
    if name in ("queue", "by_old_names"):
        assert len(trace.lock_wakes) > 0
        assert len(locks) == 1
    elif name == "parked":
        waited_for = {(lock.kind, lock.address) for lock in locks if lock.kind != LockKind.RAW}
        assert len(waited_for) == 1
    elif name in ("many", "destroyed"):
        number = {"many": 10_000, "destroyed": 50}[name]
        assert len(trace.lock_waits) == number
        assert 0.9 * number <= len(locks) <= number  # each another one; not all found the names free
        ended = set(ended_locks(tmp_path / "t"))
        assert ended <= {lock.number for lock in locks}
        assert len(ended) >= 0.9 * len(locks) if name == "destroyed" else not ended
    elif name == "forks":
        assert len(trace.processes) == 4
        assert len(trace.lock_wakes) == 0


def test_waits_and_wakes_stay_as_cheap_as_they_are(programs: tuple[str, Path], tmp_path: Path) -> None:
    """Instructions, eight frames of two files. A first wait also looks at each for what the thread has."""
    if programs[0] != "plain":
        pytest.skip("a sanitizer's instructions are not the core's")
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind counts the instructions, and is not installed")

    def cost(mode: str, numbered: bool, function: str) -> float:
        return instructions_a_call(programs[1], mode, numbered, function, tmp_path)

    assert cost("waits", True, "look_at_clockwait*") <= 1300  # 1135 with gcc 12: it is remembered
    assert cost("wakes", True, "look_at_post*") <= 800  # 680: what frames refer to is not read again
    assert cost("wakes", False, "look_at_post*") <= 2100  # 1934: code objects that nothing numbers or counts
    free = cost("nobody", True, "fake_unlock")
    assert cost("others", True, "fake_unlock") <= free + 20  # its line of the table says: nobody waits

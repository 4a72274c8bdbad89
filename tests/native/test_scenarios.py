"""The native core under a fake interpreter that counts for itself: trace and count must agree to an event.

Each of programs/scenarios/ runs plain, and under the address, undefined-behaviour and thread sanitizers.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import analysis
from analysis import validate
from analysis.reader.format import HEADER_SIZE, PACKET_SIZE, Event

from .build import build, instructions_a_pair

COUNTED = (
    *("contention", "churn", "crowd", "long_wait", "abandon", "more_gils", "many_gils", "forks", "cancel"),
    "closed",
)
INTERPOSED = ("interposed_before", "interposed_after")


def run(programs: tuple[str, Path], name: str, trace: Path, *arguments: str) -> str:
    trace.mkdir()
    done = subprocess.run(
        [programs[1] / "scenarios", name, trace, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "TSAN_OPTIONS": "halt_on_error=1", "ASAN_OPTIONS": "detect_leaks=0"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def counts(trace: analysis.Trace, process: analysis.Process) -> list[int]:
    """What the fake interpreter prints of itself, from the trace."""
    threads = [thread.index for thread in trace.threads if thread.process == process.index]
    kinds = trace.events["kind"][np.isin(trace.events["thread"], threads)]
    order = (
        Event.GIL_ACQUIRED,
        Event.GIL_WAIT,
        Event.GIL_TIMEOUT,
        Event.GIL_RELEASED,
        Event.GIL_DROP_REQUESTED,
        Event.GIL_ABANDONED,
    )
    found = [int(np.count_nonzero(kinds == kind)) for kind in order]
    gils = [gil for gil in trace.gils if gil.process == process.index]
    answered = sum(int(np.count_nonzero(trace.holds(gil).requested)) for gil in gils)
    return [*found[:4], answered, *found[4:]]


@pytest.mark.parametrize("name", [*COUNTED, *INTERPOSED])
def test_trace_holds_what_happened(programs: tuple[str, Path], name: str, tmp_path: Path) -> None:
    if programs[0] == "thread" and name == "forks":
        pytest.skip("the thread sanitizer can't go on in a forked child of a threaded process")
    printed = run(programs, name, tmp_path / "trace")
    expected = {int(line.split()[0]): [int(n) for n in line.split()[1:]] for line in printed.splitlines()}
    trace = analysis.load(tmp_path / "trace")
    assert {process.pid: counts(trace, process) for process in trace.processes} == expected
    assert validate(trace) == []
    assert all(process.ended == "stopped" for process in trace.processes)


def test_each_gil_has_its_own_number(programs: tuple[str, Path], tmp_path: Path) -> None:
    run(programs, "more_gils", tmp_path / "trace", "7")
    trace = analysis.load(tmp_path / "trace")
    assert sorted(gil.number for gil in trace.gils) == list(range(8))


def test_streams_are_used_again(programs: tuple[str, Path], tmp_path: Path) -> None:
    run(programs, "churn", tmp_path / "trace", "2000")
    trace = analysis.load(tmp_path / "trace")
    assert len(trace.threads) == 2001
    files = len(list((tmp_path / "trace").glob("*/gil_*")))
    own = programs[0] == "thread"  # this sanitizer's thread lived before, and might have come for the GIL
    assert files == 2 + own  # main, and one at a time


def test_many_recordings_of_running_threads(programs: tuple[str, Path], tmp_path: Path) -> None:
    run(programs, "restarts", tmp_path / "trace")
    trace = analysis.load(tmp_path / "trace")
    assert len(trace.processes) == 30
    # Not the sixth: a thread that waits since before the recording, and gets nothing while it lasts, has no
    # event and here no name, so the trace can't know who asked.
    assert [violation for violation in validate(trace) if violation.invariant != 6] == []


def test_no_space_ends_the_recording_and_nothing_else(programs: tuple[str, Path], tmp_path: Path) -> None:
    printed = run(programs, "full", tmp_path / "trace").split()
    trace = analysis.load(tmp_path / "trace")
    (process,) = trace.processes
    assert process.ended == "failed"
    assert process.failure is not None and "gil_" in process.failure
    assert process.discarded == int(printed[3]) > 0
    # Nothing but the takes and drops of the fake interpreter is lost: 200 threads of 21 pairs and main's.
    kinds = trace.events["kind"]
    written = np.count_nonzero((kinds >= Event.GIL_WAIT) & (kinds <= Event.GIL_ABANDONED))
    assert written + process.discarded >= 200 * (2 * 21 + 2) + 1
    assert all(violation.invariant == 7 for violation in validate(trace))


def test_the_hooks_stay_as_cheap_as_they_are(tmp_path: Path) -> None:
    """Instructions repeat exactly: a rise is a change of the code or of the compiler."""
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind counts the instructions, and is not installed")
    programs = build(tmp_path)
    plain, off, armed, stopped, recording, stacks, awaited, sampled = (
        instructions_a_pair(programs, mode, tmp_path)
        for mode in ("plain", "off", "armed", "stopped", "recording", "stacks", "awaited", "sampled")
    )
    assert off - plain <= 40  # eight calls pass through; 32 with gcc 12
    assert armed - off <= 16  # 6 with gcc 12
    assert stopped == armed  # nothing stays of a recording
    assert recording - plain <= 270  # 250 with gcc 12
    assert stacks == recording  # a release that nobody waits for
    assert awaited > stacks  # one that somebody does
    assert sampled == awaited  # the sampler costs the holder nothing


def test_times_do_not_decrease_from_packet_to_packet(programs: tuple[str, Path]) -> None:
    """A stamp may be some ns early; a packet's first is not before the last one of the packet before."""
    done = subprocess.run([programs[1] / "boundary"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "1000", "1000", "1000"]


@pytest.mark.parametrize("mode", ["ahead", "missing", "late"])
def test_packets_follow_each_other_whoever_makes_them(
    programs: tuple[str, Path], mode: str, tmp_path: Path
) -> None:
    """The helper makes a thread's next window while that fills the last; too late, or not at all."""
    file, count = tmp_path / "gil_0", 301
    done = subprocess.run([programs[1] / "rooms", mode, file], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said, had = done.stdout.rsplit(maxsplit=1)
    assert int(had) == count
    packets = np.fromfile(file, np.uint8).reshape(count, PACKET_SIZE)  # what was made ahead is cut off
    tids = packets[:, 48:52].copy().view("<u4")[:, 0]
    assert tids.tolist() == list(range(count))
    assert packets[:, HEADER_SIZE:].all()  # nobody wrote zeros over what was written
    if mode == "ahead":
        made, asked = said.split(" of ")
        assert int(made) == int(asked) > 10
    elif mode == "late":
        assert said.split() == ["1", "1", "0"]  # the helper is waited for once


def test_what_is_known_no_longer_leaves_its_place(programs: tuple[str, Path]) -> None:
    """Six times as many keys as the table has room for, few of them at a time."""
    done = subprocess.run([programs[1] / "known"], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


def test_the_clock_follows_the_kernels_for_two_hours(programs: tuple[str, Path]) -> None:
    """Simulated: bent each second, standing still while the counter goes on, not asked for seconds."""
    done = subprocess.run([programs[1] / "drift"], capture_output=True, text=True, check=True)
    worst, stamps, asked = done.stdout.split()
    assert float(worst) <= 1000  # ns
    assert int(stamps) > 1_000_000
    assert float(asked) < 0.5  # else it was not the line that was tested

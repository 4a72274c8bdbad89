"""Samples of a holder that goes, by thread, process or rights: a fake interpreter, also with sanitizers."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import analysis
from analysis import validate
from tests.sched.support import needs_perf
from tracer.beside.broker import Broker

NOBODY = 65534
OF_THREADS = f"halt_on_error=1:suppressions={Path(__file__).with_name('thread.supp')}"


def run(programs: tuple[str, Path], trace: Path, name: str, amount: int, *arguments: str) -> str:
    done = subprocess.run(
        [programs[1] / "sampled", name, trace, str(amount), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "TSAN_OPTIONS": OF_THREADS, "ASAN_OPTIONS": "detect_leaks=0"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def check_samples(trace: analysis.Trace) -> int:
    """Check that each is of its own thread, whole; returns how many have a frame."""
    functions: dict[int, set[str]] = {}
    count = 0
    for gil in trace.gils:
        samples = trace.samples[(trace.samples["gil"] == gil.index) & (trace.samples["frame"] >= 0)]
        threads = trace.holds(gil).thread[samples["hold"]]
        for thread, frame in zip(threads.tolist(), samples["frame"].tolist(), strict=True):
            code = trace.codes[trace.frames["code"][frame]]
            assert code.file == f"/fake/{code.name}"
            assert trace.frames["line"][frame] == 8
            assert trace.frames["caller"][frame] == -1
            functions.setdefault(thread, set()).add(code.name)
        count += len(samples)
    assert all(len(names) == 1 for names in functions.values()), functions
    return count


def test_threads_end_with_their_stacks(programs: tuple[str, Path], tmp_path: Path) -> None:
    """What a GIL says of its last holder is memory that is gone, or another's."""
    run(programs, tmp_path, "mortal", 10)
    trace = analysis.load(tmp_path)
    assert validate(trace) == []
    assert check_samples(trace) > 0


def test_forks_in_the_middle_of_samples(programs: tuple[str, Path], tmp_path: Path) -> None:
    if programs[0] != "plain":
        pytest.skip("a sanitizer's own locks may be taken at a fork: its child waits for them in vain")
    run(programs, tmp_path, "forks", 5)
    trace = analysis.load(tmp_path)
    assert validate(trace) == []
    assert [process.ended for process in trace.processes] == ["stopped"] * 6
    assert check_samples(trace) > 0


def test_no_descriptor_is_taken_from_the_program(programs: tuple[str, Path], tmp_path: Path) -> None:
    assert run(programs, tmp_path, "descriptors", 20_000) == "20000\n"
    assert validate(analysis.load(tmp_path)) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="gives up the rights of root")
def test_samples_come_by_the_brokers_hand(programs: tuple[str, Path], tmp_path: Path) -> None:
    for directory in (programs[1], *programs[1].parents):
        if not directory.stat().st_mode & 1:
            directory.chmod(0o711)  # the sanitizers read their own program by its path
    trace_directory = tmp_path / "trace"
    trace_directory.mkdir(mode=0o700)
    with Broker(trace_directory) as broker:
        run(programs, trace_directory, "gave_up", NOBODY, broker.address)
    trace = analysis.load(trace_directory)
    assert validate(trace) == []
    assert check_samples(trace) > 0
    assert trace.processes[0].threads_lost == 0


def test_a_sample_takes_few_copies(programs: tuple[str, Path], tmp_path: Path) -> None:
    """What leads to eight functions and tells their code from others: one by one, then together."""
    copies = int(run(programs, tmp_path, "copies", 200))
    trace = analysis.load(tmp_path)
    assert validate(trace) == []
    samples = trace.samples[trace.samples["frame"] >= 0]
    assert len(samples) > 0
    assert copies <= 3 * len(samples) + 150
    depths = set()
    for frame in samples["frame"].tolist():
        depth = 0
        while frame >= 0:
            depth, frame = depth + 1, int(trace.frames["caller"][frame])
        depths.add(depth)
    assert max(depths) == 8  # fewer while it enters them, and leaves


@needs_perf
def test_native_code_of_the_process_itself(programs: tuple[str, Path], tmp_path: Path) -> None:
    """Its thread drains in a table of descriptors of its own, ends and begins again."""
    assert int(run(programs, tmp_path, "scheduled", 10)) > 0
    trace = analysis.load(tmp_path)
    assert validate(trace) == []
    assert len(trace.native_samples) > 0
    assert check_samples(trace) > 0

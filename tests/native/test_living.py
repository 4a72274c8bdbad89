"""The native core of programs that live, under a fake interpreter: armed, asked from outside, kept small.

Each scenario of living.c runs plain, and under the address, undefined-behaviour and thread sanitizers.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

import analysis
from analysis import validate
from analysis.tables.load import known_from
from tracer.keep.keeper import Keeper, Policy, Trigger

FORKS = ("forked", "forked_meanwhile")


def start(programs: tuple[str, Path], name: str, place: Path) -> subprocess.Popen[str]:
    if programs[0] != "plain" and name in FORKS:
        pytest.skip("a sanitizer's own locks may be taken at a fork: its child waits for ever for a thread")
    (place / "sockets").mkdir()
    (place / "trace").mkdir(exist_ok=True)
    return subprocess.Popen(
        [programs[1] / "living", name, place],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TSAN_OPTIONS": "halt_on_error=1", "ASAN_OPTIONS": "detect_leaks=0"},
    )


def run(programs: tuple[str, Path], name: str, place: Path) -> list[str]:
    """Run a scenario to its end; returns what it said, and each recording must be right by itself."""
    process = start(programs, name, place)
    try:
        said, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert (process.returncode, errors) == (0, "")
    assert list((place / "sockets").glob("*")) == []  # it has tidied up
    for recording in (place / "trace").iterdir():
        # Not the sixth: who waits since before, and gets nothing meanwhile, has no event and here no name.
        assert [wrong for wrong in validate(analysis.load(recording)) if wrong.invariant != 6] == []
    return said.splitlines()


def recordings(place: Path) -> int:
    return len(list((place / "trace").iterdir()))


def test_recordings_begin_and_end_while_threads_do(programs: tuple[str, Path], tmp_path: Path) -> None:
    run(programs, "attached", tmp_path)
    assert recordings(tmp_path) == 10
    ended = [process.ended for process in analysis.load(tmp_path / "trace").processes]
    assert ended == ["stopped"] * 10


def test_forks_of_an_armed_process_are_armed(programs: tuple[str, Path], tmp_path: Path) -> None:
    run(programs, "forked", tmp_path)
    assert len({process.pid for process in analysis.load(tmp_path / "trace").processes}) == 4


def test_forks_while_recordings_begin_and_end(programs: tuple[str, Path], tmp_path: Path) -> None:
    run(programs, "forked_meanwhile", tmp_path)
    assert recordings(tmp_path) >= 8  # and those of children that were forked in one


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be someone else")
def test_another_user_is_refused(programs: tuple[str, Path], tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    said = run(programs, "stranger", tmp_path)
    assert said == ["failed", "only its own user may record this process, and root"]


def test_hostile_clients_harm_nobody(programs: tuple[str, Path], tmp_path: Path) -> None:
    said = run(programs, "hostile", tmp_path)
    assert said == ["failed", "failed", "an armed process knows start, stop and status"]
    assert recordings(tmp_path) == 1


def test_a_full_disk_ends_the_recording_and_nothing_else(programs: tuple[str, Path], tmp_path: Path) -> None:
    assert run(programs, "full", tmp_path) == ["failure 27"]  # EFBIG
    assert recordings(tmp_path) == 2


def test_it_is_kept_small_and_copied(programs: tuple[str, Path], tmp_path: Path) -> None:
    trace, copy = tmp_path / "trace", tmp_path / "copy.trace"
    trace.mkdir()
    with Keeper(trace, Policy(0.05, 1 << 30, True), Trigger((), 60)):
        process = start(programs, "kept", tmp_path)
        assert process.stdin is not None and process.stdout is not None
        process.stdout.readline()
        end = time.monotonic() + 180  # a sanitizer, on a busy machine
        while known_from(trace) is None:
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.01)
        print(copy, file=process.stdin, flush=True)
        assert process.stdout.readline() == "0\n"
        while not copy.exists():
            assert time.monotonic() < end
            time.sleep(0.01)
        said, errors = process.communicate(timeout=60)
    assert (process.returncode, said, errors) == (0, "0\n", "")
    for path in (trace, copy):
        assert validate(analysis.load(path)) == []

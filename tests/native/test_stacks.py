"""Stacks under a fake interpreter whose functions say by their names where they are, also with sanitizers."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import analysis
from analysis import validate

DEPTH = 64  # GS_STACK_DEPTH


def run(programs: tuple[str, Path], name: str, trace: Path, amount: int) -> analysis.Trace:
    trace.mkdir()
    done = subprocess.run(
        [programs[1] / "stacks", name, trace, str(amount)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "TSAN_OPTIONS": "halt_on_error=1", "ASAN_OPTIONS": "detect_leaks=0"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return analysis.load(trace)


Stack = list[tuple[str, str, int]]
"""Frames, innermost first: name, file, line."""


def stacks(trace: analysis.Trace) -> Iterator[tuple[int, Stack]]:
    """Yield each stack that a thread recorded of itself, in order of time, and the thread."""
    found = []
    for gil in trace.gils:
        holds = trace.holds(gil)
        found += list(zip(holds.released, holds.thread, trace.release_frames(gil), strict=True))
    waits = trace.waits
    found += list(zip(waits["start"] + waits["duration"], waits["thread"], trace.wait_frames, strict=True))
    yield from _stacks(trace, found)


def sampled(trace: analysis.Trace) -> Iterator[tuple[int, Stack]]:
    """Yield the same of the sampler's."""
    for gil in trace.gils:
        samples = trace.samples[trace.samples["gil"] == gil.index]
        threads = trace.holds(gil).thread[samples["hold"]]
        yield from _stacks(trace, zip(samples["time"], threads, samples["frame"], strict=True))


def _stacks(trace: analysis.Trace, found: Iterable[Any]) -> Iterator[tuple[int, Stack]]:
    for _, thread, frame in sorted(map(tuple, found)):
        stack = []
        while frame >= 0:
            code = trace.codes[trace.frames["code"][frame]]
            stack.append((plain(code.name), code.file, int(trace.frames["line"][frame])))
            frame = trace.frames["caller"][frame]
        if stack:
            yield int(thread), stack


def plain(name: str) -> str:
    """Undo what fake_frames.c does to names of two and four bytes a character."""
    moved = 0x1F300 if ord(name[0]) >= 0x1F300 else 0x4E00 if ord(name[0]) >= 0x4E00 else 0
    return "".join(chr(ord(character) - moved) for character in name)


def check_nested(trace: analysis.Trace) -> int:
    """Check every stack of nested calls, frame by frame; returns how many there were."""
    owners: dict[int, set[str]] = {}
    count = 0
    for own, (thread, stack) in (
        *((True, each) for each in stacks(trace)),
        *((False, each) for each in sampled(trace)),
    ):
        owner, deepest = re.fullmatch(r"t(\d)\.(\d+)", stack[0][0]).groups()  # type: ignore[union-attr]
        owners.setdefault(thread, set()).add(owner)
        depths = range(int(deepest), max(-1, int(deepest) - DEPTH), -1)
        # The first line is the depth + 1, the table's the one after it on, and the instruction depth % 32.
        expected = [(f"t{owner}.{d}", f"/fake/t{owner}.{d}", d + 2 + d % 32 // 8) for d in depths]
        assert stack == (
            expected if own else expected[: len(stack)]
        )  # callers that may be others' are left out
        count += own
    assert all(len(owner) == 1 for owner in owners.values())
    return count


def test_nested_functions(programs: tuple[str, Path], tmp_path: Path) -> None:
    trace = run(programs, "nested", tmp_path / "trace", 400)
    assert check_nested(trace) > 100
    # What ended a wait has a stack, but for a thread that had not called anything.
    without = np.count_nonzero(trace.wait_frames < 0)
    assert without <= 6
    assert validate(trace) == []
    assert "alone" not in {code.name for code in trace.codes}
    # Each is written once.
    assert len({(code.name, code.file) for code in trace.codes}) == len(trace.codes)
    rows = [tuple(row) for row in trace.frames[["caller", "code", "line"]].tolist()]
    assert len(set(rows)) == len(rows)


@pytest.mark.parametrize("name", ["reused", "plain"])
def test_memory_of_code_is_used_again(programs: tuple[str, Path], name: str, tmp_path: Path) -> None:
    trace = run(programs, name, tmp_path / "trace", 2000)
    for found in (stacks(trace), sampled(trace)):
        last: dict[int, int] = {}
        for thread, stack in found:
            ((number, file, line),) = stack
            assert file == f"/fake/{number}"
            assert line == 8
            assert int(number) >= last.get(thread, 0)  # a thread's numbers grow: none is an earlier one's
            last[thread] = int(number)
        assert len(last) <= 4


def test_no_state_is_looked_at_when_the_interpreter_ends(programs: tuple[str, Path], tmp_path: Path) -> None:
    trace = run(programs, "over", tmp_path / "trace", 400)
    assert check_nested(trace) > 0
    (gil,) = trace.gils
    assert trace.release_frames(gil)[-100:].max() == -1


def test_recordings_that_begin_and_end_in_the_middle(programs: tuple[str, Path], tmp_path: Path) -> None:
    trace = run(programs, "restarts", tmp_path / "trace", 20)
    assert len(trace.processes) == 21
    assert check_nested(trace) > 20  # of some ten calls each


def test_a_forked_child_has_numbers_of_its_own(programs: tuple[str, Path], tmp_path: Path) -> None:
    if programs[0] == "thread":
        pytest.skip("the thread sanitizer can't go on in a forked child of a threaded process")
    trace = run(programs, "forks", tmp_path / "trace", 200)
    assert len(trace.processes) == 2
    assert {code.process for code in trace.codes} == {0, 1}
    assert check_nested(trace) > 20


def test_more_functions_than_can_be_known(programs: tuple[str, Path], tmp_path: Path) -> None:
    if programs[0] != "plain":
        pytest.skip("much of the same")
    trace = run(programs, "full", tmp_path / "trace", 50_000)
    (metadata,) = (tmp_path / "trace").glob("*/metadata")
    missed = re.search(r"stacks_missed = (\d+)", metadata.read_text())
    assert missed is not None and int(missed[1]) > 1000
    assert len(trace.codes) > 80_000
    assert trace.processes[0].ended == "stopped"

"""Python frames in a trace: who was where at a release, and at the end of a wait."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import analysis
from tests.synthetic import ProcessWriter, TraceWriter


def with_frames(process: ProcessWriter) -> ProcessWriter:
    """main() at app.py:3 calls work() at lib.py:12; another thread is in other() at app.py:20."""
    process.code(1, 0, "main", "app.py", 1).code(2, 0, "Jobs.work", "lib.py", 10).code(3, 0, "other", line=20)
    return process.frame(1, 0, 1, 4).frame(2, 0, 2, 4, caller=1).frame(3, 0, 3)


def two_threads(process: ProcessWriter) -> ProcessWriter:
    process.events(
        [
            (100, 0, "recording_start"),
            (100, 0, "gil_acquired"),
            (101, 1000, "gil_wait"),
            (100, 3000, "gil_released", 0, 2),
            (101, 3100, "gil_acquired", 0, 3),
            (101, 4000, "gil_released"),
            (100, 5000, "gil_acquired"),
            (102, 5500, "gil_wait"),
            (100, 6000, "gil_released", 0, 1),
        ]
    )
    return process.stop(100, 9000)


def test_frames_of_releases_and_waits(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.trace") as writer:
        two_threads(with_frames(writer.process()))
    trace = analysis.load(tmp_path / "t.trace")
    assert [(code.name, code.file, code.first_line) for code in trace.codes] == [
        ("main", "app.py", 1),
        ("Jobs.work", "lib.py", 10),
        ("other", "app.py", 20),
    ]
    assert trace.frames.tolist() == [(-1, 0, 3), (0, 1, 12), (-1, 2, 20)]
    (gil,) = trace.gils
    assert trace.release_frames(gil).tolist() == [1, -1, 0]
    assert trace.holds(gil).released.tolist() == [3000, 4000, 6000]
    assert trace.waits["thread"].tolist() == [1, 2]
    assert trace.wait_frames.tolist() == [2, -1]
    assert not list(analysis.validate(trace))


def test_each_process_has_numbers_of_its_own(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.trace") as writer:
        two_threads(writer.process(pid=50))
        two_threads(with_frames(writer.process(pid=100)))
        two_threads(with_frames(writer.process(pid=200)))
    trace = analysis.load(tmp_path / "t.trace")
    releases = [trace.release_frames(gil).tolist() for gil in trace.gils]
    assert releases == [[-1, -1, -1], [1, -1, 0], [4, -1, 3]]
    assert trace.wait_frames.tolist() == [-1, -1, 2, -1, 5, -1]
    assert [code.process for code in trace.codes] == [1, 1, 1, 2, 2, 2]
    assert trace.frames["caller"].tolist() == [-1, 0, -1, -1, 3, -1]


def test_holds_that_end_at_one_time(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.trace") as writer:
        process = with_frames(writer.process())
        process.events(
            [
                (100, 0, "gil_acquired"),
                (101, 10, "gil_wait"),
                (100, 50, "gil_released", 0, 1),
                (101, 50, "gil_acquired", 0, 3),
                (102, 20, "gil_wait"),
                (101, 50, "gil_released", 0, 2),
                (102, 60, "gil_acquired"),
            ]
        )
    trace = analysis.load(tmp_path / "t.trace")
    assert trace.release_frames(trace.gils[0]).tolist() == [0, 1, -1]


def test_a_frame_that_is_not_there_is_unknown(tmp_path: Path) -> None:
    """The names may have been lost; the event is none the worse."""
    with TraceWriter(tmp_path / "t.trace") as writer:
        two_threads(writer.process().code(1, 0, "main").frame(1, 0, 1))
    trace = analysis.load(tmp_path / "t.trace")
    assert trace.release_frames(trace.gils[0]).tolist() == [-1, -1, 0]


def test_code_numbers_are_no_tids(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.trace") as writer:
        two_threads(writer.process().code(100, 0, "main").code(101, 0, "other").name(101, 500, "worker"))
    trace = analysis.load(tmp_path / "t.trace")
    assert [thread.name for thread in trace.threads] == ["MainThread", "worker", "thread 102"]


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (lambda p: p.frame(1, 0, 1), "frame 1 of '0 1 0'"),
        (lambda p: p.code(1, 0, "f").frame(2, 0, 1, caller=1), "frame 2 of '1 1 0'"),
        (lambda p: p.code(1, 0, "f").frame(1, 0, 1).frame(1, 0, 1), "frame 1 twice"),
        (lambda p: p.code(1, 0, "f").code(1, 0, "g"), "code 1 twice"),
        (lambda p: p.name(1, 0, "1 2", "frame"), "frame 1 as '1 2'"),
        (lambda p: p.name(1, 0, "f", "code"), "code 1 as 'f'"),
        (lambda p: p.name(1, 0, "80", "code_lines"), "lines of code 1"),
        (lambda p: p.code(1, 0, "f").name(1, 0, "8x", "code_lines").frame(2, 0, 1), "lines of code 1"),
        (lambda p: p.name(0, 0, "0 1 0", "frame"), "frame of number 0"),
        (lambda p: p.code(1, 0, "f").frame(1 << 31, 0, 1), "frame 2147483648 after 0 others"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, wrong: Callable[[ProcessWriter], ProcessWriter], found: str
) -> None:
    with TraceWriter(tmp_path / "t.trace") as writer:
        two_threads(wrong(writer.process()))
    with pytest.raises(analysis.TraceFormatError, match=found):
        analysis.load(tmp_path / "t.trace")
    trace = analysis.load(tmp_path / "t.trace", salvage=True)
    assert len(trace.skipped) == 1
    assert np.all(trace.release_frames(trace.gils[0]) < len(trace.frames))
    assert np.all(trace.wait_frames < len(trace.frames))
    analysis.code_blame(trace)


def test_names_of_any_text(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.trace") as writer:
        two_threads(writer.process().code(7, 0, "naïve.<locals>.<lambda>", "/tmp/Bücher\n\t 日本.py", 4))
    (code,) = analysis.load(tmp_path / "t.trace").codes
    assert (code.name, code.file, code.first_line) == (
        "naïve.<locals>.<lambda>",
        "/tmp/Bücher\n\t 日本.py",
        4,
    )

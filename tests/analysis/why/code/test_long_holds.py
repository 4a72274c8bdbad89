"""Long holds that nobody waited for: exact figures on synthetic traces."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

import analysis
from analysis.report.summary import to_json
from analysis.report.terminal import print_summary
from analysis.why.code.long_hold_words import sentences
from analysis.why.code.long_holds import long_holds
from tests.synthetic import ProcessWriter, TraceWriter

MS = 1_000_000
HANDLE, LOADS, LOOP, IMPORT = 1, 2, 3, 5
"""Frames: a handler, a library's call in it, two instructions of a loop (3, 4), an import."""


def program(process: ProcessWriter) -> ProcessWriter:
    process.code(1, 0, "handle", "app.py", 10).code(2, 0, "loads", "/usr/lib/python3.11/json/decoder.py", 350)
    process.code(3, 0, "loop", "app.py", 30).code(4, 0, "exec_module", "<frozen importlib._bootstrap>", 1)
    process.frame(HANDLE, 0, 1, 4).frame(LOADS, 0, 2, 6, HANDLE)
    process.frame(LOOP, 0, 3, 4).frame(LOOP + 1, 0, 3, 6).frame(IMPORT, 0, 4, 2)
    return process


def held(process: ProcessWriter, begin: int, end: int, frames: list[int]) -> None:
    """Thread 100 holds the GIL; a sample each 2 ms from 1 ms on."""
    process.events([(100, begin, "gil_acquired"), (100, end, "gil_released")])
    process.samples([(100, begin + MS + 2 * MS * at, frame) for at, frame in enumerate(frames)])


def test_a_call_that_comes_back_late(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.trace") as writer:
        process = program(writer.process())
        held(process, 0, 40 * MS, [LOADS] * 19)
        held(process, 50 * MS, 54 * MS, [LOADS] * 2)  # within an interval: not long
        held(process, 60 * MS, 80 * MS, [LOADS] * 9)
        held(process, 90 * MS, 150 * MS, [IMPORT] * 30)
        process.events(
            [(101, 0, "gil_wait"), (101, 200 * MS, "gil_acquired"), (101, 201 * MS, "gil_released")]
        )
        process.stop(100, 300 * MS)
    trace = analysis.load(tmp_path / "t.trace")
    (imported, loads) = long_holds(trace)
    assert loads["holds"] == loads["pieces"] == 2
    assert (loads["time"], loads["waited"]) == (60 * MS, 60 * MS)
    assert (loads["longest"], loads["longest_at"], loads["samples"]) == (40 * MS, 0, 28)
    assert imported["longest"] == 60 * MS
    assert len(long_holds(trace, 1 * MS)) == 2
    assert long_holds(trace, 1 * MS)["holds"].tolist() == [1, 3]
    assert not list(sentences(trace, long_holds(trace), 9)), "what others waited for is blame's"


def test_the_sentence_names_who_can_do_something_about_it(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.trace") as writer:
        process = program(writer.process())
        held(process, 0, 40 * MS, [LOADS] * 19)
        held(process, 60 * MS, 90 * MS, [IMPORT] * 14)
        process.stop(100, 100 * MS)
    trace = analysis.load(tmp_path / "t.trace")
    said = (
        "loads(), decoder.py:353, called from handle(), app.py:12: held the GIL for 40.0 ms in one piece;"
        " nobody waited this time."
    )
    assert list(sentences(trace, long_holds(trace), 9)) == [said]
    file = io.StringIO()
    print_summary(trace, Console(file=file, width=300))
    assert said in file.getvalue()
    (imported, loads) = sorted(to_json(trace)["long_holds"], key=lambda row: row["function"])
    assert imported["longest_ns"] == 30 * MS
    assert loads == {
        "function": "loads",
        "file": "/usr/lib/python3.11/json/decoder.py",
        "line": 353,
        "pid": 100,
        "tid": 100,
        "holds": 1,
        "pieces": 1,
        "time_ns": 40 * MS,
        "waited_ns": 0,
        "samples": 19,
        "longest_ns": 40 * MS,
        "longest_at_ns": 0,
    }


def test_python_that_nobody_asked_to_let_go_is_no_piece(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.trace") as writer:
        process = program(writer.process())
        held(process, 0, 200 * MS, [LOOP, LOOP + 1, LOOP + 1, LOOP, LOOP] * 19)
        process.stop(100, 300 * MS)
    trace = analysis.load(tmp_path / "t.trace")
    (loop,) = long_holds(trace)
    assert (loop["holds"], loop["pieces"], loop["time"], loop["samples"]) == (1, 0, 200 * MS, 95)
    assert not list(sentences(trace, long_holds(trace), 9))


def test_a_call_amid_python(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.trace") as writer:
        process = program(writer.process())
        held(process, 0, 200 * MS, [LOOP, LOOP + 1] * 15 + [LOADS] * 40 + [LOOP, LOOP + 1] * 10)
        process.stop(100, 300 * MS)
    trace = analysis.load(tmp_path / "t.trace")
    (loads,) = long_holds(trace)
    assert (loads["holds"], loads["pieces"]) == (1, 1)
    # From the first to the last of its samples: so long at least.
    assert (loads["longest_at"], loads["longest"]) == (61 * MS, 78 * MS)


@pytest.mark.parametrize("samples", [0, 2])
def test_what_is_hardly_known_is_not_said(tmp_path: Path, samples: int) -> None:
    with TraceWriter(tmp_path / "t.trace") as writer:
        process = program(writer.process())
        held(process, 0, 40 * MS, [LOADS] * samples)
        process.stop(100, 100 * MS)
    trace = analysis.load(tmp_path / "t.trace")
    (row,) = long_holds(trace)
    assert (row["holds"], row["pieces"], row["longest"]) == (1, 0, 40 * MS)
    assert (row["code"] >= 0) == (samples > 0)
    assert not list(sentences(trace, long_holds(trace), 9))
    assert to_json(trace)["long_holds"][0]["longest_ns"] == 40 * MS

"""Marks and spans as tables: exact, from written traces."""

from pathlib import Path
from typing import Any

import numpy as np

import analysis
from tests.synthetic import ProcessWriter, TraceWriter


def begun(writer: TraceWriter, pid: int = 100) -> ProcessWriter:
    """A process whose main thread holds the GIL from 1000 on."""
    process = writer.process(pid)
    return process.events([(pid, 1_000, "recording_start"), (pid, 1_000, "gil_acquired")])


def rows(table: Any, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[column].item() for column in columns) for row in table]


def spans(path: Path) -> list[tuple[Any, ...]]:
    trace = analysis.load(path)
    assert analysis.validate(trace) == []
    names = [*trace.mark_names, "?"]
    return [
        (row["start"].item(), row["duration"].item(), names[row["name"]], row["depth"].item())
        for row in trace.spans
    ]


def test_marks_of_two_processes_share_names(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        first, second = begun(writer, 100), begun(writer, 200)
        first.text(1, 1_100, "a").text(2, 1_100, "b")
        second.text(1, 1_100, "b")
        first.events([(100, 1_200, "mark", 0, 1), (100, 1_300, "mark", 0, 2)]).stop(100, 2_000)
        second.events([(200, 1_250, "mark", 0, 1), (200, 1_260, "mark", 0, 7)]).stop(200, 2_000)
    trace = analysis.load(tmp_path / "t")
    assert trace.mark_names == ("a", "b")
    assert rows(trace.marks, "time", "thread", "name") == [
        (1_200, 0, 0),
        (1_300, 0, 1),
        (1_250, 1, 1),
        (1_260, 1, -1),
    ]
    assert len(trace.spans) == 0
    assert len(trace.events) == 8  # none of them is an event of a GIL


def test_spans_nest(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        process = begun(writer).text(1, 1_001, "outer").text(2, 1_001, "inner")
        process.events(
            [
                (100, 1_100, "span_begin", 0, 1),
                (100, 1_200, "span_begin", 0, 2),
                (100, 1_300, "span_end", 0, 0),
                (100, 1_400, "span_begin", 0, 2),
                (100, 1_500, "span_end", 0, 0),
                (100, 1_600, "span_end", 0, 2),
            ]
        ).stop(100, 2_000)
    assert spans(tmp_path / "t") == [
        (1_100, 500, "outer", 0),
        (1_200, 100, "inner", 1),
        (1_400, 100, "inner", 1),
    ]


def test_spans_of_coroutines_overlap(tmp_path: Path) -> None:
    """The first to begin is the first to end, and both have one name."""
    with TraceWriter(tmp_path / "t") as writer:
        begun(writer).text(1, 1_001, "GET").events(
            [
                (100, 1_100, "span_begin", 0, 1),
                (100, 1_200, "span_begin", 0, 1),
                (100, 1_300, "span_end", 0, 1),
                (100, 1_900, "span_end", 0, 0),
            ]
        ).stop(100, 2_000)
    assert spans(tmp_path / "t") == [(1_100, 200, "GET", 0), (1_200, 700, "GET", 1)]


def test_ends_without_begins_and_begins_without_ends(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        begun(writer).text(1, 1_001, "a").events(
            [
                (100, 1_050, "span_end", 0, 3),
                (100, 1_100, "span_begin", 0, 1),
                (100, 1_300, "span_end", 0, 5),
                (101, 1_300, "gil_wait"),
                (101, 1_350, "span_end", 0, 0),
            ]
        ).stop(100, 2_000)
    trace = analysis.load(tmp_path / "t")
    assert analysis.validate(trace) == []
    assert rows(trace.spans, "start", "duration", "unfinished") == [(1_100, 900, True)]


def test_a_part_of_the_trace(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        process = begun(writer).text(1, 1_001, "a")
        process.events(
            [
                (100, 1_100, "span_begin", 0, 1),
                (100, 1_150, "mark", 0, 1),
                (100, 1_300, "gil_released"),
                (101, 1_300, "gil_acquired"),
                (101, 1_400, "mark", 0, 1),
                (101, 1_450, "span_begin", 0, 1),
                (101, 1_460, "gil_released"),
                (100, 1_500, "gil_acquired"),
                (100, 1_600, "span_end", 0, 0),
                (101, 1_700, "span_end", 0, 0),
            ]
        ).stop(100, 2_000)
    part = analysis.load(tmp_path / "t").between(1_200, 1_650)
    assert analysis.validate(part) == []
    assert rows(part.marks, "time", "thread") == [(1_400, 1)]
    assert rows(part.spans, "start", "duration", "thread", "unfinished") == [
        (1_200, 400, 0, False),
        (1_450, 200, 1, True),
    ]
    late = analysis.load(tmp_path / "t").between(1_800, 1_900)
    assert len(late.marks) == len(late.spans) == 0


def test_what_is_said_outside_of_a_life_is_a_violation(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        begun(writer).text(1, 1_001, "a").events([(100, 1_100, "span_begin", 0, 1)]).stop(100, 2_000)
    trace = analysis.load(tmp_path / "t")
    trace.spans["duration"] = -5
    assert [violation.invariant for violation in analysis.validate(trace)] == [10]
    assert trace.spans.dtype.names == ("start", "duration", "thread", "name", "depth", "unfinished")
    assert np.issubdtype(trace.marks["time"].dtype, np.int64)

"""Blame by code: exact figures on synthetic traces, and against an obvious reckoning."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis
from analysis.why.code.charges import overlap
from analysis.why.code.flames import collapsed, speedscope
from tests.synthetic import ProcessWriter, TraceWriter


def contended(process: ProcessWriter) -> ProcessWriter:
    """Thread 100 holds in work(), called from main(); 101 and 102 wait for it; then 101 holds in other()."""
    process.code(1, 0, "main", "app.py", 1).code(2, 0, "work", "lib.py", 10).code(3, 0, "other", "app.py", 20)
    process.frame(1, 0, 1, 4).frame(2, 0, 2, 4, caller=1).frame(3, 0, 3, 2).frame(4, 0, 2, 6, caller=1)
    process.events(
        [
            (100, 0, "recording_start"),
            (100, 0, "gil_acquired"),
            (101, 1000, "gil_wait"),
            (102, 2000, "gil_wait"),
            (101, 2500, "gil_timeout"),
            (100, 3000, "gil_released", 0, 2),
            (101, 3100, "gil_acquired", 0, 3),
            (101, 5100, "gil_released", 0, 3),
            (102, 5200, "gil_acquired", 0, 1),
            (100, 5200, "gil_wait"),
            (102, 6000, "gil_released"),
            (100, 6000, "gil_acquired", 0, 4),
            (102, 6500, "gil_wait"),
            (100, 6600, "gil_released", 0, 4),
            (102, 6700, "gil_acquired", 0, 1),
            (102, 6800, "gil_released"),
        ]
    )
    return process.stop(100, 9000)


@pytest.fixture
def trace(tmp_path: Path) -> analysis.Trace:
    with TraceWriter(tmp_path / "t.trace") as writer:
        contended(writer.process())
    return analysis.load(tmp_path / "t.trace")


def test_lines_are_charged_with_the_waits_during_their_holds(trace: analysis.Trace) -> None:
    blame = analysis.code_blame(trace)
    names = [
        "code",
        "line",
        "waited",
        "contended",
        "holds",
        "requested",
        "longest",
        "longest_at",
        "slowest",
        "threads",
    ]
    assert blame.lines[names].tolist() == [
        (1, 12, 3000, 2000, 1, 1, 2000, 3000, 500, 2),  # work: 101 from 1000, 102 from 2000, until 3000
        (2, 21, 2000, 2000, 1, 0, 2000, 5100, 0, 1),  # other: 102
        (-1, 0, 800, 800, 1, 0, 800, 6000, 0, 1),  # 102's hold has no frame; 100 waits
        (1, 13, 100, 100, 1, 0, 100, 6600, 0, 1),
    ]
    assert blame.total == 2100 + 3200 + 800 + 200
    assert blame.nobody == 2 * 100 + 100 + 100  # two waited in the first handoff, one in each other
    assert blame.known == 5100
    assert blame.of_frame.tolist() == [0, 3000, 2000, 100]


def test_lines_that_waited(trace: analysis.Trace) -> None:
    blame = analysis.code_blame(trace)
    assert blame.waiting[["code", "line", "waited", "waits", "longest", "longest_at"]].tolist() == [
        (0, 3, 3400, 2, 3200, 2000),
        (2, 21, 2100, 1, 2100, 1000),
        (1, 13, 800, 1, 800, 5200),
    ]


def test_flame(trace: analysis.Trace) -> None:
    flame = analysis.flame(trace)
    assert flame.parent.tolist() == [-1, 0, -1]
    assert [trace.codes[code].name for code in flame.code] == ["main", "work", "other"]
    assert flame.own.tolist() == [0, 3100, 2000]
    assert flame.total.tolist() == [3100, 3100, 2000]
    assert list(collapsed(flame)) == [
        "main (app.py:1);work (lib.py:10) 3100",
        "other (app.py:20) 2000",
        "(no Python frame recorded) 800",
    ]
    profile = speedscope(flame, "t")
    assert json.loads(json.dumps(profile)) == profile
    (sampled,) = profile["profiles"]
    assert sampled["weights"] == [3100, 2000, 800]
    assert sampled["endValue"] == 5900
    called = [[profile["shared"]["frames"][at]["name"] for at in stack] for stack in sampled["samples"]]
    assert called == [["main", "work"], ["other"], ["(no Python frame recorded)"]]


def test_the_same_code_of_two_processes_is_one(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.trace") as writer:
        contended(writer.process(pid=100))
        contended(writer.process(pid=200))
    trace = analysis.load(tmp_path / "t.trace")
    blame = analysis.code_blame(trace)
    assert blame.lines["waited"].tolist() == [6000, 4000, 1600, 200]
    assert blame.lines["threads"].tolist() == [4, 2, 2, 2]
    assert analysis.flame(trace).own.tolist() == [0, 6200, 4000]
    assert blame.total == blame.known + blame.nobody + 1600


def test_without_frames_all_is_unknown(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.trace") as writer:
        writer.process().events(
            [
                (100, 0, "gil_acquired"),
                (101, 10, "gil_wait"),
                (100, 50, "gil_released"),
                (101, 60, "gil_acquired"),
            ]
        )
    trace = analysis.load(tmp_path / "t.trace")
    blame = analysis.code_blame(trace)
    assert blame.lines[["code", "waited", "holds"]].tolist() == [(-1, 40, 1)]
    assert (blame.known, blame.nobody) == (0, 10)
    assert list(collapsed(analysis.flame(trace))) == ["(no Python frame recorded) 40"]


def test_without_waits_there_is_nothing(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.trace") as writer:
        writer.process().events([(100, 0, "gil_acquired"), (100, 50, "gil_released")])
    blame = analysis.code_blame(analysis.load(tmp_path / "t.trace"))
    assert (len(blame.lines), len(blame.waiting), blame.total, blame.nobody) == (0, 0, 0, 0)


stretches = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)), max_size=12)


@given(stretches, stretches, st.sampled_from([0, 1 << 60]))
@settings(max_examples=200, deadline=None)
def test_overlap(waits: list[tuple[int, int]], holds: list[tuple[int, int]], base: int) -> None:
    """Also where products of times and counts do not fit into 64 bits."""
    found = overlap(
        *(
            np.array(column, np.int64) + base
            for column in (
                [start for start, _ in waits],
                [start + length for start, length in waits],
                [start for start, _ in holds],
                [start + length for start, length in holds],
            )
        )
    )
    expected = [
        sum(max(0, min(s + d, start + length) - max(s, start)) for s, d in waits) for start, length in holds
    ]
    assert found.tolist() == expected

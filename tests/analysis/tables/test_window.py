"""A part of a trace is a trace in itself."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import analysis
from analysis import State
from analysis.reader.format import EVENTS_PER_PACKET
from tests.synthetic import TraceWriter

MS = 1_000_000


def two_threads(path: Path, rounds: int = 3) -> analysis.Trace:
    """100 holds for 6 ms of each 10, from 0, 10, ... ms on; 101 asks 2 ms later and gets the rest."""
    with TraceWriter(path) as trace:
        process = trace.process(pid=100)
        events = [(100, 0, "recording_start"), (100, 0, "gil_acquired")]
        for at in range(0, 10 * MS * rounds, 10 * MS):
            if at:
                events += [(100, at, "gil_acquired")]
            events += [
                (101, at + 2 * MS, "gil_wait"),
                (100, at + 6 * MS, "gil_released"),
                (101, at + 6 * MS, "gil_acquired"),
                (101, at + 9 * MS, "gil_released"),
            ]
        process.events(events)
        process.stop(100, 10 * MS * rounds)
    return analysis.load(path)


def test_a_part_has_exact_times(tmp_path: Path) -> None:
    part = two_threads(tmp_path / "t").between(4 * MS, 18 * MS)
    main, other = analysis.statistics(part).threads
    assert (part.begin, part.end) == (4 * MS, 18 * MS)
    assert main.time[State.HOLDING] == (2 + 6) * MS
    assert main.time[State.RELEASED] == 6 * MS
    assert other.time[State.WAITING] == (2 + 4) * MS
    assert other.time[State.HOLDING] == (3 + 2) * MS
    assert other.time[State.RELEASED] == 3 * MS
    assert analysis.blame(part).matrix().tolist() == [[0, 0, 0], [6 * MS, 0, 0]]
    assert not analysis.validate(part)


def test_parts_add_up_to_the_whole(tmp_path: Path) -> None:
    trace = two_threads(tmp_path / "t", rounds=20)
    edges = np.unique([0, *np.random.default_rng(5).integers(0, trace.end, 40), trace.end]).tolist()
    whole = analysis.statistics(trace)
    parts = [analysis.statistics(trace.between(begin, end)) for begin, end in pairwise(edges)]
    for tid, thread in enumerate(whole.threads):
        of_parts = [
            found for part in parts for found in part.threads if found.thread.tid == thread.thread.tid
        ]
        for state in State:
            assert sum(found.time[state] for found in of_parts) == thread.time[state], (tid, state)


def test_an_empty_window_is_an_error(tmp_path: Path) -> None:
    trace = two_threads(tmp_path / "t")
    with pytest.raises(ValueError, match="no part of the trace"):
        trace.between(40 * MS, 50 * MS)


def test_only_the_packets_of_the_window_are_read(tmp_path: Path) -> None:
    rounds = 2 * EVENTS_PER_PACKET
    whole = two_threads(tmp_path / "t", rounds)
    window = (whole.end // 2, whole.end // 2 + 25 * MS)
    some = analysis.load(tmp_path / "t", within=window)
    assert len(some.events) < len(whole.events) / 2
    expected, found = (analysis.statistics(trace.between(*window)) for trace in (whole, some))
    assert [thread.time for thread in found.threads] == [thread.time for thread in expected.threads]
    assert [thread.wait for thread in found.threads] == [thread.wait for thread in expected.threads]
    assert not analysis.validate(some.between(*window))


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from analysis.commands.cli import main

    two_threads(tmp_path / "t")
    assert main([str(tmp_path / "t"), "--between", "0.004", "0.018"]) == 0
    assert "14.0 ms" in capsys.readouterr().out
    assert main([str(tmp_path / "t"), "--between", "3", "4"]) == 2
    assert "--between" in capsys.readouterr().err


def test_code_of_what_reaches_over_the_edge_is_told_by_its_end(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(pid=100)
        process.code(1, 0, "hold", "a.py", 1).code(2, 0, "ask", "a.py", 2).frame(1, 0, 1).frame(2, 0, 2)
        process.events(
            [
                (100, 0, "recording_start"),
                (100, 0, "gil_acquired"),
                (101, 100, "gil_wait"),
                (100, 1000, "gil_released", 0, 1),
                (101, 1000, "gil_acquired", 0, 2),
                (101, 1500, "gil_released"),
            ]
        )
        process.stop(100, 2000)
    whole = analysis.load(tmp_path / "t")
    for begin, end in ((0, 500), (200, 400), (500, 1000), (500, 2000)):
        for part in (whole.between(begin, end), whole.between(0, 1200).between(begin, end)):
            blame = analysis.code_blame(part)
            waited = min(end, 1000) - max(begin, 100)
            assert [(part.codes[row["code"]].name, row["waited"]) for row in blame.lines] == [
                ("hold", waited)
            ]
            assert [part.codes[row["code"]].name for row in blame.waiting] == ["ask"]

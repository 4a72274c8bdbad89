"""What spans went on, and who delayed them: exact, from a written trace; and said as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import analysis
from analysis.commands.cli import main
from analysis.model import State
from analysis.why.spans import NOBODY, PARTS, Delay, delays, slowest, span_figures, time_in_states
from tests.analysis.scenes import with_spans
from tests.synthetic import TraceWriter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return with_spans(tmp_path / "t.trace")


def test_time_and_delays(path: Path) -> None:
    trace = analysis.load(path)
    assert analysis.validate(trace) == []
    time = time_in_states(trace, trace.spans)
    assert time.sum(axis=1).tolist() == trace.spans["duration"].tolist() == [4_200, 1_250, 200]
    assert [time[0, state] for state in (State.HOLDING, State.WAITING, State.RELEASED)] == [300, 3_100, 800]
    assert [time[1, state] for state in (State.HOLDING, State.LOCKED, State.RELEASED)] == [50, 1_000, 200]
    assert delays(trace, 0) == [Delay(None, 0, 0, 3, 3_000), Delay(None, NOBODY, -1, 0, 100)]
    assert delays(trace, 1) == [Delay(0, 0, 0, 4, 1_000)]
    assert delays(trace, 2) == []
    assert slowest(trace, 5).tolist() == [0, 1]
    get, store = span_figures(trace, time)
    assert (get.name, get.rows.tolist(), get.unfinished, get.duration.count) == (0, [0, 2], 1, 1)
    assert (store.duration.max, store.unfinished) == (1_250, 0)
    assert sorted(state for states in PARTS.values() for state in states) == sorted(State)


def test_a_part_of_the_trace(path: Path) -> None:
    whole = analysis.load(path)
    trace = whole.between(whole.begin + 3_000, whole.begin + 6_000)
    assert trace.spans["duration"].tolist() == [2_300, 650]
    assert time_in_states(trace, trace.spans).sum(axis=1).tolist() == [2_300, 650]
    assert delays(trace, 0) == [Delay(None, 0, 0, 3, 2_000), Delay(None, NOBODY, -1, 0, 100)]


def test_many_spans_sum_up(path: Path) -> None:
    trace = analysis.load(path)
    random = np.random.default_rng(1)
    spans = np.zeros(200, trace.spans.dtype)
    spans["thread"] = random.integers(0, 2, 200)
    begin, end = trace.columns.begin[spans["thread"]], trace.columns.end[spans["thread"]]
    edges = np.sort(random.integers(begin, end + 1, (2, 200)), axis=0)
    spans["start"], spans["duration"] = edges[0], edges[1] - edges[0]
    assert (time_in_states(trace, spans).sum(axis=1) == spans["duration"]).all()


def test_command(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spans", str(path)]) == 0
    said = capsys.readouterr().out
    assert "GET / took 4.20 µs in worker at 0.000001 s: waited for the GIL 3.10 µs, not known 800 ns" in said
    assert "  3.00 µs for the GIL: MainThread had it, in crunch(), app.py:3" in said
    assert "  1.00 µs for Lock: MainThread let go of it, in crunch(), app.py:4" in said
    assert r"1 marks: \x1b[1mstore (1)." in said and "\x1b" not in said
    assert main(["spans", str(path), "--json", "--slowest", "1"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(of["name"], of["count"], of["unfinished"]) for of in told["spans"]] == [
        ("GET /", 2, 1),
        ("\x1b[1mstore", 1, 0),
    ]
    (slow,) = told["slowest"]
    assert slow["duration_ns"] == 4_200 and slow["states_ns"] == {
        "released": 800,
        "waiting": 3_100,
        "holding": 300,
    }
    assert slow["delays"][0] == {
        "lock": None,
        "pid": 100,
        "tid": 100,
        "thread": "MainThread",
        "function": "crunch",
        "file": "app.py",
        "line": 3,
        "time_ns": 3_000,
    }
    assert main(["spans", str(path), "--slowest", "-1"]) == 2


def test_a_trace_without_any(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        writer.process().events([(100, 0, "recording_start"), (100, 0, "gil_acquired")]).stop(100, 1_000)
    assert main(["spans", str(tmp_path / "t")]) == 0
    assert "No spans" in capsys.readouterr().out

"""Spans, marks and waits for locks on the page: drawn above their lanes, in tables, and searched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import analysis
import plots
from analysis import Trace
from plots.web.said import MOST, lock_waits, said
from tests.analysis.scenes import with_spans
from tests.synthetic import TraceWriter

from .support import browse


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    return analysis.load(with_spans(tmp_path / "t.trace"))


def test_data(trace: Trace) -> None:
    told = said(trace)
    names = told["names"]
    assert names == ["GET /", "\\x1b[1mstore"]
    assert told["spans"] == {
        "lane": [1, 1, 1],
        "begin": [1_100, 5_350, 6_800],
        "duration": [4_200, 1_250, 200],
        "row": [0, 0, 0],
        "name": [0, 1, 0],
    }
    assert told["marks"] == {"lane": [1], "time": [6_700], "name": [1]}
    assert [sum(of["parts"]) for of in told["figures"]] == [of["total"] for of in told["figures"]]
    assert [of["duration"] for of in told["slowest"]] == [4_200, 1_250]
    locks = lock_waits(trace)
    texts = locks.pop("names")
    assert {key: value[0] for key, value in locks.items() if "place" not in key and key != "lock"} == {
        "lane": 1,
        "begin": 5_500,
        "duration": 1_000,
        "waker": 0,
        "woke": 6_400,
    }
    assert texts[locks["waker_place"][0]] == "crunch(), app.py:4" and texts[locks["lock"][0]] == "Lock"


def test_more_than_a_page_has(tmp_path: Path) -> None:
    count = MOST + 500
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process().text(1, 1, "a")
        process.events([(100, 0, "recording_start"), (100, 0, "gil_acquired")])
        process.columns(100, 10 * np.arange(1, 2 * count + 1), np.tile([22, 23], count))
        process.stop(100, 100_000_000)
    trace = analysis.load(tmp_path / "t")
    assert len(trace.spans) == count
    told = said(trace)
    assert len(told["spans"]["lane"]) == MOST and told["left_out"] == 500


def test_it_is_seen_and_found(trace: Trace, tmp_path: Path) -> None:
    page = plots.save_page(trace, tmp_path / "page.html")
    lane = "document.getElementById('lane-1').getBoundingClientRect()"
    stage = "document.getElementById('picture').getBoundingClientRect()"
    begin, end = trace.begin, trace.end
    # Pixels above the worker's lane that are not ground: of the bracket, at the middle of the first span.
    ink = f"""(() => {{
        const canvas = document.getElementById('overlay');
        const top = {lane}.top - {stage}.top - 13;
        const x = {(3_000 - begin) / (end - begin)} * canvas.width;
        const data = canvas.getContext('2d').getImageData(x, top, 1, 13).data;
        return data.filter((value, at) => at % 4 === 3 && value > 0).length;
    }})()"""
    drawn, tables, names, slow, found = browse(
        page,
        {"eval": ink},
        {"eval": "document.querySelectorAll('#panel-said table').length"},
        {"eval": "[...document.querySelectorAll('#panel-said tbody th')].map((cell) => cell.textContent)"},
        {"eval": "document.querySelectorAll('#panel-said table')[1].tBodies[0].rows[0].textContent"},
        {"focus": "#lanes"},
        {"key": "/"},
        {"type": "store"},
        {"key": "Enter"},
        {"eval": "document.getElementById('found').textContent"},
    )
    assert drawn > 0 and tables == 2
    assert names == ["GET /", "\\x1b[1mstore", "GET /", "\\x1b[1mstore"]
    assert "3.00 µs for the GIL: MainThread had it, in crunch(), app.py:3" in slow
    assert found == "1 of 1: \\x1b[1mstore"


def test_a_wait_for_a_lock_points_to_who_let_go(trace: Trace, tmp_path: Path) -> None:
    page = plots.save_page(trace, tmp_path / "page.html")
    # By keys, as interval after interval: the first that is a wait for the lock.
    steps = [{"focus": "#lanes"}, {"key": "ArrowDown"}, {"key": "ArrowDown"}, *[{"key": "ArrowLeft"}] * 12]
    panel = "document.getElementById('panel-wait')"
    heard = f"{panel}.hidden || {panel}.textContent"
    seen = browse(
        page,
        *steps,
        *[
            each
            for _ in range(12)
            for each in (
                {"key": "Enter"},
                {"eval": heard},
                {"key": "ArrowRight"},
            )
        ],
    )
    texts = [text for text in seen if isinstance(text, str) and "One wait for a lock" in text]
    assert texts and "worker waited 1.00 µs for Lock" in texts[0]
    assert "MainThread let go of it, at crunch(), app.py:4." in texts[0]

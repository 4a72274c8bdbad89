"""Patterns marked on the timeline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes

import analysis
import plots
from plots.cli import main
from tests.synthetic import TraceWriter

MS = 1_000_000


@pytest.fixture
def trace(tmp_path: Path) -> analysis.Trace:
    """A hog, from 0 to 30 ms, and nothing else until 100 ms."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100, begin=0)
        process.name(101, 0, "sorter").name(102, 0, "other")
        process.events([(100, 0, "recording_start"), (101, 1, "gil_acquired"), (102, 10, "gil_wait")])
        process.events([(102, 5 * MS, "gil_timeout", 0, 5 * MS - 10), (101, 30 * MS, "gil_released")])
        process.events([(102, 30 * MS + 5, "gil_acquired"), (102, 90 * MS, "gil_released")])
        process.stop(100, 100 * MS)
    return analysis.load(tmp_path / "t")


def brackets(axes: Axes) -> dict[str, list[float]]:
    above = next((each for each in axes.figure.axes if each.get_label() == "patterns"), None)
    lines = above.lines if above is not None else []
    return {
        str(line.get_label()): np.asarray(line.get_xdata()).tolist()
        for line in lines
        if not str(line.get_label()).startswith("_")
    }


def test_a_bracket_over_its_time(trace: analysis.Trace) -> None:
    found = analysis.patterns(trace)
    assert [pattern.name for pattern in found] == ["hog"]
    axes = plots.timeline(trace, patterns=found)
    assert brackets(axes) == {"hog": [1, 30 * MS]}
    above = next(each for each in axes.figure.axes if each.get_label() == "patterns")
    assert [text.get_text() for text in above.texts] == ["hog: sorter"]
    assert len(above.lines) == 3  # with both ends
    plain = plots.timeline(trace)
    assert brackets(plain) == {}
    lanes = axes.get_position()
    assert lanes.y1 < plain.get_position().y1 or lanes.height < plain.get_position().height


def test_only_what_is_in_the_window(trace: analysis.Trace) -> None:
    found = analysis.patterns(trace)
    inside = plots.timeline(trace, start=10 * MS, end=20 * MS, patterns=found)
    assert brackets(inside) == {"hog": [10 * MS, 20 * MS]}
    above = next(each for each in inside.figure.axes if each.get_label() == "patterns")
    assert len(above.lines) == 1  # it has no ends there
    assert brackets(plots.timeline(trace, start=40 * MS, end=60 * MS, patterns=found)) == {}


def test_command_line(trace: analysis.Trace, tmp_path: Path) -> None:
    target = tmp_path / "t.svg"
    assert main([str(trace.path), "-o", str(target), "--patterns"]) == 0
    with_marks = target.read_bytes()
    assert main([str(trace.path), "-o", str(target), "--force"]) == 0
    assert target.read_bytes() != with_marks

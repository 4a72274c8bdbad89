"""Spans and marks on the lanes: where the program made them, and not more of them than one can tell apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.collections import LineCollection

import analysis
import plots
from plots.timeline.over.said import MOST
from tests.analysis.scenes import with_spans
from tests.synthetic import TraceWriter


def test_brackets_names_and_flags(tmp_path: Path) -> None:
    trace = analysis.load(with_spans(tmp_path / "t.trace"))
    axes = plots.timeline(trace)
    (brackets,) = (each for each in axes.collections if each.get_label() == "span")
    assert isinstance(brackets, LineCollection)
    over = [np.asarray(line)[:, 0].tolist() for line in brackets.get_segments()]
    across = [line for line in over if line[0] != line[1]]
    # Times count from the trace's begin, 0; the longest first. The last one has no end that was seen.
    assert across == [[1_100, 5_300], [5_350, 6_600], [6_800, 7_000]]
    assert [line[0] for line in over if line[0] == line[1]] == [1_100, 5_300, 5_350, 6_600, 6_800]
    assert "GET /" in [text.get_text() for text in axes.texts]
    (flags,) = (line for line in axes.lines if line.get_label() == "mark")
    assert np.asarray(flags.get_xdata()).tolist() == [6_700]
    (legend,) = axes.figure.legends
    assert {"span", "mark"} <= {text.get_text() for text in legend.get_texts()}
    assert "\x1b" not in "".join(text.get_text() for text in axes.texts)


def test_only_what_is_in_the_window(tmp_path: Path) -> None:
    trace = analysis.load(with_spans(tmp_path / "t.trace"))
    axes = plots.timeline(trace, start=2_000, end=3_000)
    (brackets,) = (each for each in axes.collections if each.get_label() == "span")
    assert isinstance(brackets, LineCollection)
    assert [np.asarray(line)[:, 0].tolist() for line in brackets.get_segments()] == [[2_000, 3_000]]
    assert not [line for line in axes.lines if line.get_label() == "mark"]


def test_many(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process().text(1, 1, "a")
        process.events([(100, 0, "recording_start"), (100, 0, "gil_acquired")])
        for at in range(1_000, 1_000 * (MOST + 10), 1_000):
            process.events(
                [(100, at, "span_begin", 0, 1), (100, at, "mark", 0, 1), (100, at + at // 1_000, "span_end")]
            )
        process.stop(100, 300_000)
    axes = plots.timeline(analysis.load(tmp_path / "t"))
    (brackets,) = (each for each in axes.collections if each.get_label() == "span")
    assert isinstance(brackets, LineCollection)
    assert len(brackets.get_segments()) == 3 * MOST
    assert not [line for line in axes.lines if line.get_label() == "mark"]

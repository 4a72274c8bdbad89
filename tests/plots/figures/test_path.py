"""The figure of the critical path."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import analysis
from analysis import State
from plots.cli import main
from plots.figures.path import TITLE_PAD, _legend, path
from tests.analysis.why.chains.test_critical_path import joined
from tests.synthetic import TraceWriter


def test_rows_are_the_threads_on_the_path(tmp_path: Path) -> None:
    ax = path(analysis.load(joined(tmp_path / "t")))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["MainThread", "a", "b"]
    title = ax.get_title(loc="left").replace("\N{NO-BREAK SPACE}", " ")
    assert title.startswith("40 % of the critical path")
    (image,) = ax.images
    colours = np.asarray(image.get_array())
    # In each column one row at least is on the path, and as a rule only one.
    rows = (colours[..., 3] > 0).reshape(3, 10, -1).any(axis=1).sum(axis=0)
    assert rows.min() >= 1
    assert (rows == 1).mean() > 0.9


def test_the_command_draws_it(tmp_path: Path) -> None:
    trace = joined(tmp_path / "t")
    assert main([str(trace), "--figure", "path", "-o", str(tmp_path / "path.png")]) == 0
    assert (tmp_path / "path.png").stat().st_size > 10_000


def test_a_thread_alone(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        writer.process().events([(100, 0, "gil_acquired"), (100, 50, "gil_released")]).stop(100, 100)
    ax = path(analysis.load(tmp_path / "t"))
    assert len(ax.get_yticklabels()) == 1


def test_every_state_has_its_key_below_the_title() -> None:
    """Six keys had room, and one of several rows touched the title."""
    figure = Figure(figsize=(13.3, 7.5), dpi=100)
    ax = figure.add_axes((0.17, 0.12, 0.68, 0.66))
    states = list(State)[:7]
    _legend(ax, dict.fromkeys(states, 10), 10, 100)
    ax.set_title("48 % of the critical path", pad=TITLE_PAD, size=24)
    legend = ax.get_legend()
    assert legend is not None and len(legend.get_texts()) == 8
    assert {legend.get_texts()[-1].get_text()} == {"let go, on its way"}
    figure.draw_without_rendering()
    assert legend.get_window_extent().y1 <= ax.title.get_window_extent().y0

"""Distributions and the handoff matrix."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

import plots
from analysis.model import State

from ..conftest import SCENES, Scene


@pytest.mark.parametrize("what", ["waits", "holds"])
@pytest.mark.parametrize("name", ["four_kinds", "dense"])
def test_ecdf_is_the_empirical_distribution(scene: Scene, what: str, name: str) -> None:
    trace = scene(name)
    state = State.WAITING if what == "waits" else State.HOLDING
    axes = plots.ecdf(trace, what)  # type: ignore[arg-type]
    rows = trace.intervals[trace.intervals["state"] == state]
    curves = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
    assert len(curves) == len(np.unique(rows["thread"]))
    for line, thread in zip(curves, np.unique(rows["thread"]), strict=True):
        lengths = np.sort(rows["duration"][rows["thread"] == thread])
        x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
        assert (x[0], y[0]) == (lengths[0], 0)
        assert (x[-1], y[-1]) == (lengths[-1], 1)
        for at, share in zip(x[1::50], y[1::50], strict=True):
            below = np.searchsorted(lengths, at, "left") / len(lengths)
            assert below <= share <= np.searchsorted(lengths, at, "right") / len(lengths)


def test_ecdf_marks_the_switch_interval(scene: Scene) -> None:
    axes = plots.ecdf(scene("two_threads"))
    marks = [line for line in axes.lines if line.get_drawstyle() == "default"]
    assert [line.get_xdata()[0] for line in marks] == [5_000_000]  # type: ignore[index]


def test_ecdf_draws_those_that_wait_longest(scene: Scene) -> None:
    axes = plots.ecdf(scene("many_threads"), max_threads=3)
    legend = axes.get_legend()
    assert legend is not None
    assert len(legend.get_texts()) == 3


def test_matrix_counts_handoffs(scene: Scene) -> None:
    trace = scene("four_kinds")
    axes = plots.handoff_matrix(trace)
    data = np.asarray(axes.images[0].get_array())
    handoffs = trace.handoffs
    for giver in range(5):
        for taker in range(5):
            expected = ((handoffs["from_thread"] == giver) & (handoffs["to_thread"] == taker)).sum()
            assert data[giver, taker] == expected
    assert [label.get_text() for label in axes.get_yticklabels()] == [t.name for t in trace.threads]
    switched = len(handoffs) - np.trace(data)
    assert axes.get_title(loc="left") == f"{switched} of {len(handoffs)} handoffs went to another thread"


def test_matrix_sums_up_the_rest(scene: Scene) -> None:
    trace = scene("many_threads")
    axes = plots.handoff_matrix(trace, max_threads=6)
    data = np.asarray(axes.images[0].get_array())
    assert data.shape == (7, 7)
    assert data.sum() == len(trace.handoffs)
    assert "more" in axes.get_yticklabels()[-1].get_text()


@pytest.mark.parametrize("name", SCENES)
def test_they_draw_any_trace(scene: Scene, name: str) -> None:
    trace = scene(name)
    for axes in (plots.ecdf(trace), plots.ecdf(trace, "holds"), plots.handoff_matrix(trace)):
        figure = axes.figure
        assert isinstance(figure, Figure)
        figure.draw_without_rendering()
        box = figure.get_tightbbox()
        assert box.x0 >= 0 and box.y0 >= 0
        assert box.x1 <= 13.3 and box.y1 <= 7.5


def test_into_axes_of_others(scene: Scene) -> None:
    figure = Figure()
    one, two = figure.subplots(2)
    assert plots.ecdf(scene("two_threads"), ax=one) is one
    assert plots.handoff_matrix(scene("two_threads"), ax=two) is two
    assert len(figure.axes) == 2

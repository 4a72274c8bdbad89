"""What a close-up shows besides states, and ends that were not clean."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

import plots
from plots.style import DROP_REQUEST

from ...conftest import Scene
from ...scenes import MS
from ..artists import LABELS, boxes, collections, colours, legend_of, side_axes


def test_a_close_up_has_arrows_requests_and_timeouts(scene: Scene) -> None:
    trace = scene("two_threads")
    start, end = 40 * MS, 75 * MS
    axes = plots.timeline(trace, start=start, end=end)
    begin = trace.begin
    handoffs = trace.handoffs
    inside = (handoffs["released"] >= begin + start) & (handoffs["acquired"] < begin + end)
    switches = handoffs[inside & (handoffs["from_thread"] != handoffs["to_thread"])]
    arrows = [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    assert len(arrows) == len(switches) == 7
    (requests,) = collections(axes, "drop request")
    assert colours(requests) == [DROP_REQUEST]
    corners = boxes(requests)
    assert sorted(corners[:, 1]) == sorted(h["released"] - begin for h in switches if h["requested"])
    (notches,) = collections(axes, "switch interval passed")
    assert isinstance(notches, LineCollection)
    assert len(notches.get_segments()) == 7
    assert legend_of(axes)[-3:] == ["switch interval passed", "drop request", "handoff"]


def test_a_free_lock_is_not_handed_over(scene: Scene) -> None:
    axes = plots.timeline(scene("no_gil"))
    assert not [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]


def test_too_many_handoffs_are_not_drawn(scene: Scene) -> None:
    axes = plots.timeline(scene("twelve_threads"))
    assert not [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    assert legend_of(axes) == list(LABELS.values())


def test_the_switch_interval_is_a_scale(scene: Scene) -> None:
    trace = scene("two_threads")
    waiters = side_axes(plots.timeline(trace, start=40 * MS, end=75 * MS), "waiters")
    (scale,) = [line for line in waiters.lines if line.get_label() == "switch interval"]
    x = np.asarray(scale.get_xdata(), float)
    assert (x[1] - x[0]) * 35 * MS == pytest.approx(trace.processes[0].switch_interval)


def test_the_longest_wait_is_framed_and_told(scene: Scene) -> None:
    trace = scene("four_kinds")
    axes = plots.timeline(trace, around="largest-wait")
    (frame,) = [patch for patch in axes.patches if patch.get_label() == "focus"]
    waits = trace.waits
    longest = waits[waits["duration"].argmax()]
    box = frame.get_path().get_extents(frame.get_patch_transform())
    assert box.x0 == longest["start"] - trace.begin
    assert box.width == longest["duration"]
    assert isinstance(axes.figure, Figure)
    title = next(text for text in axes.figure.texts if text.get_gid() == "title")
    assert title.get_text().startswith("The longest wait: sha256 waited")


def test_a_killed_process_is_cut_off_visibly(scene: Scene) -> None:
    trace = scene("killed")
    axes = plots.timeline(trace)
    (cut,) = [line for line in axes.lines if line.get_label() == "cut"]
    assert list(np.asarray(cut.get_xdata())) == [trace.end - trace.begin] * 3
    assert isinstance(axes.figure, Figure)
    (warning,) = [text for text in axes.figure.texts if text.get_gid() == "warning"]
    assert warning.get_text().startswith("no end recorded: last seen at")
    assert not [line for line in plots.timeline(scene("two_threads")).lines if line.get_label() == "cut"]

"""Figures of why threads waited: anatomy, blame, and the handoff graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.patches import Ellipse, FancyArrowPatch

import analysis
import plots
from plots.cli import main
from tests.synthetic import TraceWriter


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def title(ax: object) -> str:
    return plain(ax.get_title(loc="left"))  # type: ignore[attr-defined]


def crowd(path: Path, threads: int) -> analysis.Trace:
    """Thread 100 + i waits i ms for 100, each after the other; it asked after the first µs."""
    with TraceWriter(path) as writer:
        process = writer.process()
        now = 0
        for i in range(1, threads):
            end = now + 1_000_000 * i
            process.events([(100, now, "gil_acquired"), (100 + i, now, "gil_wait")])
            process.events([(100 + i, now + 1000, "gil_timeout", 0, 1000), (100, end, "gil_released")])
            process.events([(100 + i, end + 500, "gil_acquired"), (100 + i, end + 600, "gil_released")])
            process.name(100 + i, now, f"worker {i}")
            now = end + 1000
        process.stop(100, now)
    return analysis.load(path)


def test_anatomy(tmp_path: Path) -> None:
    ax = plots.wait_anatomy(crowd(tmp_path / "t", 4))
    bars = {
        (container.get_label(), round(patch.get_y() + patch.get_height() / 2)): round(patch.get_width())
        for container in ax.containers
        for patch in container
    }
    longest = {"politeness": 1000, "response": 3_000_000 - 1000, "handoff": 500}
    assert {part: width for (part, y), width in bars.items() if y == 0} == longest
    assert [label.get_text() for label in ax.get_yticklabels()] == ["worker 3", "worker 2", "worker 1"]
    assert title(ax).startswith(">99 % of 6 ms of waiting")


def test_anatomy_of_a_crowd(tmp_path: Path) -> None:
    ax = plots.wait_anatomy(crowd(tmp_path / "t", 60))
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert (len(names), names[0], names[-1]) == (13, "worker 59", "47 more")


def test_blame(tmp_path: Path) -> None:
    ax = plots.blame(crowd(tmp_path / "t", 4))
    (image,) = ax.images
    data: np.ndarray = np.ma.filled(np.ma.asarray(image.get_array()), 0)
    assert data[1:, 0].tolist() == [1_000_000, 2_000_000, 3_000_000]
    assert data[1:, -1].tolist() == [500, 500, 500]
    assert title(ax) == "MainThread made others wait 6 ms, >99 % of all waiting"


def test_handoff_graph(tmp_path: Path) -> None:
    ax = plots.handoff_graph(crowd(tmp_path / "t", 4))
    discs = [patch for patch in ax.patches if isinstance(patch, Ellipse)]
    arrows = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    assert (len(discs), len(arrows)) == (4, 3 + 2)  # main to each; the last one doesn't give it back
    assert max(discs, key=lambda disc: disc.width) is discs[0]


@pytest.mark.parametrize("threads", [13, 40])
def test_a_graph_of_many_is_folded(tmp_path: Path, threads: int) -> None:
    ax = plots.handoff_graph(crowd(tmp_path / "t", threads))
    assert len([patch for patch in ax.patches if isinstance(patch, Ellipse)]) <= 13
    assert any("more" in text.get_text() for text in ax.texts)


@pytest.mark.parametrize(
    "figure", ["ecdf-waits", "ecdf-holds", "handoffs", "handoff-graph", "anatomy", "blame", "flame"]
)
def test_command_line(tmp_path: Path, figure: str, capsys: pytest.CaptureFixture[str]) -> None:
    crowd(tmp_path / "t", 3)
    target = tmp_path / f"{figure}.svg"
    command = [str(tmp_path / "t"), "-o", str(target), "--figure", figure]
    assert main(command) == 0
    assert target.read_text().startswith("<?xml")
    assert main([*command, "--force", "--start", "1ms"]) == 2
    assert capsys.readouterr().err == f"gilscope: --figure {figure} shows all of a trace: leave out --start\n"


@pytest.mark.parametrize("draw", [plots.wait_anatomy, plots.blame, plots.handoff_graph])
def test_nothing_to_draw(tmp_path: Path, draw: object) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        writer.process().events([(100, 0, "gil_acquired"), (100, 50, "gil_released")])
    assert title(draw(analysis.load(tmp_path / "t")))  # type: ignore[operator]

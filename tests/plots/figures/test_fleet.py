"""The figure of a fleet: its image is the waits by host and time, its bars the worst groups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.fleet.answer import Fleet, Group
from analysis.fleet.merge import MINUTE
from plots.cli import main
from plots.figures.fleet import fleet as draw

SECOND = 1_000_000_000


def group(name: str, waited: int, share: float) -> Group:
    return Group((name,), waited, share, 10 * MINUTE, waited, 0, 0, 1, 1)


def made(heat: dict[tuple[str, int], int], groups: list[Group]) -> Fleet:
    return Fleet(("line",), groups, 60 * SECOND, 0, 10 * MINUTE, 2, 3, 3, 0, 10 * MINUTE, heat)


def test_cells_are_seconds_waited_for_each_second() -> None:
    heat = {("a", 100): 6 * SECOND, ("b", 100): 30 * SECOND, ("b", 102): 24 * SECOND}
    axes = draw(made(heat, [group("f(), a.py:1", 54 * SECOND, 0.9), group("$g$\n", 6 * SECOND, 0.1)]))
    (image,) = axes.images
    assert np.asarray(image.get_array()).tolist() == [[0.5, 0.0, 0.4], [0.1, 0.0, 0.0]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "a"]
    (bars,) = axes.figure.axes[1:]
    widths = [bar.get_window_extent().width for bar in bars.patches]
    assert widths[1] / widths[0] == pytest.approx(6 / 54)
    assert any("f(), a.py:1 made others wait 54.0 s, 90" in text.get_text() for text in axes.figure.texts)


def test_hosts_beyond_the_most_share_a_row_of_means() -> None:
    heat = {(f"h{number:03}", 0): (200 - number) * SECOND for number in range(100)}
    axes = draw(made(heat, [group("f", 1, 1.0)]))
    (image,) = axes.images
    cells = np.asarray(image.get_array())[:, 0]
    assert len(cells) == 24 and axes.get_yticklabels()[-1].get_text() == "77 more, each"
    assert cells[-1] == pytest.approx(np.mean([200 - number for number in range(23, 100)]) / 60)


def test_nobody_waited_is_a_figure_too() -> None:
    axes = draw(made({}, []))
    assert any("Nobody waited" in text.get_text() for text in axes.figure.texts)


def test_the_command_draws_traces_and_refuses_to_overwrite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyarrow")
    from tests.analysis.fleet.programs import trace

    path, target = trace(tmp_path / "t.trace"), tmp_path / "f.png"
    assert main(["fleet", str(path), "-o", str(target)]) == 0
    before = target.read_bytes()
    assert before.startswith(b"\x89PNG")
    assert main(["fleet", str(path), "-o", str(target)]) == 2
    assert "exists: choose another name" in capsys.readouterr().err and target.read_bytes() == before

"""The flame graph of blame: boxes as wide as what they are charged with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.collections import PolyCollection

import analysis
import plots
from tests.synthetic import TraceWriter

BOOTSTRAP = ["_bootstrap", "run", "work", "parse", "dump"]


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def recorded(path: Path, *, frames: bool = True) -> analysis.Trace:
    """parse(), called from work(), is charged with 300, dump() with 100, work() itself with 50."""
    with TraceWriter(path) as writer:
        process = writer.process()
        for number, name in enumerate(BOOTSTRAP, 1):
            process.code(number, 0, name, "/app/jobs.py", number)
        for number, caller in enumerate([0, 1, 2, 3, 3], 1):
            process.frame(number, 0, number, caller=caller)
        now = 0
        process.events([(100, 0, "gil_acquired")])
        for frame, waited in ((4, 300), (5, 100), (3, 50)):
            arg = frame if frames else 0
            process.events(
                [
                    (101, now + 10, "gil_wait"),
                    (100, now + 10 + waited, "gil_released", 0, arg),
                    (101, now + 20 + waited, "gil_acquired"),
                    (101, now + 30 + waited, "gil_released"),
                    (100, now + 40 + waited, "gil_acquired"),
                ]
            )
            now += 1000
    return analysis.load(path)


def test_boxes(tmp_path: Path) -> None:
    ax = plots.flame(recorded(tmp_path / "t.trace"))
    (boxes,) = (each for each in ax.collections if isinstance(each, PolyCollection))
    corners = [np.asarray(path.vertices) for path in boxes.get_paths()]
    found = sorted((int(c[:, 1].min()), int(c[:, 0].min()), int(np.ptp(c[:, 0]))) for c in corners)
    assert found == [(0, 0, 450), (1, 0, 300), (1, 300, 100)]  # the outer calls all lead to work()
    texts = [text.get_text() for text in ax.texts]
    assert {"work()", "parse()", "dump()"} <= set(texts)
    assert "_bootstrap()" not in texts
    assert plain(ax.get_title(loc="left")) == "parse() made others wait 300 ns, 67 % of all waiting"
    # Light where its callees are charged, full where it is itself.
    shades = {tuple(np.round(colour[:3], 2)) for colour in np.asarray(boxes.get_facecolor())}
    assert len(shades) == 2


def test_without_frames_it_says_so(tmp_path: Path) -> None:
    ax = plots.flame(recorded(tmp_path / "t.trace", frames=False))
    assert ax.get_title(loc="left") == "No Python frames were recorded"
    assert any("450 ns in all" in plain(text.get_text()) for text in ax.texts)


def test_nothing_to_draw(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.trace") as writer:
        writer.process().events([(100, 0, "gil_acquired"), (100, 50, "gil_released")])
    assert (
        plots.flame(analysis.load(tmp_path / "t.trace")).get_title(loc="left") == "Nobody waited for the GIL"
    )

"""The page in a real browser: it loads, says what the JSON says, draws exact shares, and can be worked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import analysis
import plots
from analysis import Trace
from analysis.model import State
from plots.cli import main
from plots.timeline.coverage import Intervals, coverage
from tests.analysis.why.code.test_charges import contended
from tests.synthetic import TraceWriter

from ..conftest import Scene
from .support import browse

HOSTILE = "</script><img src=x onerror=alert(1)>\u202e<b>"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trace, Path]:
    """A trace with names that would be markup, and its page."""
    path = tmp_path_factory.mktemp("hostile")
    with TraceWriter(path / "t.trace") as writer:
        process = writer.process(argv=[HOSTILE, "@FACTS@"])
        contended(process)
        for tid, time in ((100, 0), (101, 1000), (102, 2000)):
            process.name(tid, time, f"{tid} {HOSTILE}")
        process.code(9, 0, HOSTILE, f"/{HOSTILE}.py")
    trace = analysis.load(path / "t.trace")
    assert main([str(path / "t.trace"), "-o", str(path / "page.html")]) == 0
    return trace, path / "page.html"


def cells(panel: str) -> str:
    """Return an expression: the exact figures of a panel's table, row by row."""
    figure = "(cell) => cell.dataset.value ? Number(cell.dataset.value) : cell.textContent"
    rows = f"[...table.tBodies[0].rows].map((row) => [...row.cells].map({figure}))"
    return f"[...document.querySelectorAll('#panel-{panel} table')].map((table) => {rows})"


def test_it_says_what_the_json_says_and_names_stay_text(
    hostile: tuple[Trace, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    trace, page = hostile
    names, threads, lines, markup = browse(
        page,
        {"eval": "[...document.querySelectorAll('.name.lane span')].map((name) => name.textContent)"},
        {"eval": cells("threads")},
        {"eval": cells("lines")},
        {"eval": "document.querySelectorAll('img, b, script[src]').length + document.title"},
    )
    assert markup.startswith("0") and "\\u202e" in markup
    assert names == [f"{tid} {HOSTILE}".replace("\u202e", "\\u202e") for tid in (100, 101, 102)]
    from analysis.commands.cli import main as summary

    assert summary([str(trace.path), "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    of_json = [
        [
            *(thread["time_ns"][state] for state in ("holding", "waiting", "released")),
            thread["counts"]["acquires"],
            thread["wait_ns"]["max"] or 0,
            thread["hold_ns"]["max"] or 0,
        ]
        for thread in told["processes"][0]["threads"]
    ]
    assert [row[1:] for row in threads[0]] == of_json
    assert [[row[1], row[4], row[6]] for row in lines[0]] == [
        [line["waited_ns"], line["holds"], line["longest_ns"]] for line in told["code"]["lines"]
    ]


def test_pixels_are_the_exact_shares_at_three_zooms(scene: Scene, tmp_path: Path) -> None:
    trace = scene("dense")
    page = plots.save_page(trace, tmp_path / "dense.html")
    length = trace.end - trace.begin
    windows = [(0, length), (length // 3, length // 3 + 20_000_000), (length // 2, length // 2 + 60_000)]
    # How many of a column's pixels are of a hold's blue; a mixture with a wait's orange counts in part.
    ink = """(() => {
        const canvas = document.getElementById('picture');
        const image = canvas.getContext('2d').getImageData(0, 0, canvas.width, 24 + 4 + 40);
        const found = [];
        for (let x = 0; x < canvas.width; x += 1) {
            let hold = 0;
            for (let y = 28; y < 68; y += 1) {
                const [red, green] = image.data.subarray(4 * (y * canvas.width + x));
                if (Math.abs(red - green) > 12) hold += Math.max(0, 1 - red / 213);
            }
            found.push(hold);
        }
        return found;
    })()"""
    steps: list[dict[str, Any]] = []
    for start, end in windows:
        steps += [
            {"eval": f"void (location.hash = '#t={start}ns,{end}ns')"},
            {"eval": "new Promise((done) => setTimeout(done, 50))"},
            {"focus": "#lanes"},
            {"eval": ink},
        ]
    seen = [found for found in browse(page, *steps) if found is not None]
    states = trace.states_by_column
    mine = slice(int(states.first[0]), int(states.first[1]))
    rows = Intervals(states.start[mine], states.duration[mine], states.state[mine])
    for (start, end), hold in zip(windows, seen, strict=True):
        columns = len(hold)
        edges = trace.begin + (start + (end - start) * np.arange(columns + 1) / columns).astype(np.int64)
        exact = coverage(rows, edges, [State.HOLDING])[0] / np.diff(edges) * 40
        # A pixel is a whole number of 1/255, and edges may lie half a bin off; the sum is kept.
        assert np.sum(hold) == pytest.approx(exact.sum(), rel=0.03)
        assert np.abs(np.array(hold) - exact).mean() < 0.9


def test_it_is_worked_by_keys_pointer_and_link(scene: Scene, tmp_path: Path) -> None:
    trace = scene("four_kinds")
    page = plots.save_page(trace, tmp_path / "page.html")
    length = trace.end - trace.begin
    where = "document.getElementById('where').textContent"
    wait = trace.waits[int(trace.waits["duration"].argmax())]
    results = browse(
        page,
        {"eval": where},
        {"focus": "#lanes"},
        {"key": "w"},
        {"key": "w"},
        {"eval": where},
        {"key": "d"},
        {"eval": where},
        {"key": "f"},
        {"eval": where},
        {"move": [700, 300]},
        {"wheel": -300},
        {"eval": where},
        {"wait": "#tip:not([hidden])"},
        {"key": "/"},
        {"type": trace.threads[1].name},
        {"key": "Enter"},
        {"eval": "document.getElementById('found').textContent"},
        {"eval": "document.querySelector('[aria-selected=true]').textContent"},
        {"click": "#panel-longest button"},
        {"eval": "document.querySelector('#panel-wait p').textContent"},
        {"eval": "document.getElementById('cursor').textContent"},
        {"key": "m"},
        {"wait": "#panel-span[data-ready=yes]"},
        {"eval": "document.querySelectorAll('#panel-span tbody').length"},
        {"eval": "new Promise((done) => setTimeout(() => done(location.hash), 400))"},
        {"key": "Escape"},
        {"eval": "[...document.querySelectorAll('#panel-span, #panel-wait')].every((panel) => panel.hidden)"},
    )
    first, near, right, fitted, wheeled, found, lane, waited, cursor, tables, link, cleared = results
    assert first == fitted and len({first, near, right, wheeled}) == 4
    assert first.startswith("0 – ")
    assert found.startswith("1 of") and trace.threads[1].name in lane
    assert "had the lock" in waited and cursor.startswith(trace.threads[int(wait["thread"])].name)
    begin, end = int(wait["start"]) - trace.begin, int(wait["start"] + wait["duration"]) - trace.begin
    assert tables == 3 and link.endswith(f"span={begin}ns,{end}ns")
    assert cleared is True
    start = length // 4
    seen = browse(
        page, {"eval": where}, {"eval": cells("span")}, hash=f"#t={start}ns,{2 * start}ns&span=0ns,{length}ns"
    )
    assert seen[0] != first
    assert [row[1:-2] for row in seen[1][0]] == [
        [thread.time[state] for state in (State.HOLDING, State.WAITING, State.RELEASED)]
        for thread in analysis.statistics(trace).threads
    ]


def test_a_page_has_no_figure_s_options(
    hostile: tuple[Trace, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    trace, page = hostile
    for option in (["--patterns"], ["--lanes", "3"], ["--figure", "flame"]):
        assert main([str(trace.path), "-o", str(page), "--force", *option]) == 2
        assert "leave out --" in capsys.readouterr().err

"""The lanes in a terminal: what most of each cell was, at any zoom, and in a real terminal by keys."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import analysis
from analysis.commands.show import View
from analysis.model import State
from analysis.report.verdict import verdict
from analysis.states import STATES
from analysis.units import duration
from tests.analysis.scenes import two_threads


def test_a_cell_is_the_state_that_has_most_of_it(tmp_path: Path) -> None:
    trace = analysis.load(two_threads(tmp_path / "t.trace"))
    view = View(trace)
    for keys in ("", "w", "wd", "wwa", "f"):
        for key in keys:
            view.press(key, 5)
        lines = view.drawn(79, 20).plain.splitlines()
        cells = 79 - 19
        edges = [view.start + (view.end - view.start) * i // cells for i in range(cells + 1)]
        for thread in trace.threads:
            lane = lines[1 + thread.index][19:]
            rows = [row for row in trace.intervals.tolist() if row[2] == thread.index]
            for at, sign in enumerate(lane):
                low, high = (trace.begin + edge for edge in edges[at : at + 2])
                times: dict[int, int] = {}
                for start, lasted, _, _, state, *_ in rows:
                    times[state] = times.get(state, 0) + max(min(start + lasted, high) - max(start, low), 0)
                best = {
                    STATES[State(s)].look.sign or "·" for s, t in times.items() if t == max(times.values())
                }
                assert sign in best or (sign == " " and not any(times.values()))


def test_a_span_has_its_own_statistics(tmp_path: Path) -> None:
    trace = analysis.load(two_threads(tmp_path / "t.trace"))
    view = View(trace)
    view.drawn(100, 30)
    view.press("h", 24)
    view.press("m", 24)
    for _ in range(2):
        view.press("L", 24)
    begin, end = view.span
    cell = (view.end - view.start) // view.cells
    assert end - begin == 20 * cell and "━" in view.drawn(100, 30).plain
    view.press("\n", 24)
    said = view.drawn(100, 30).plain
    part = analysis.statistics(trace.between(trace.begin + begin, trace.begin + end))
    assert f"of the span {duration(begin)} – {duration(end)} ({duration(end - begin)}) alone" in said
    assert verdict(part).split(":")[0][:60] in said.replace("\n", " ")
    view.press("j", 24)
    view.press("x", 24)
    assert not view.report
    view.press("z", 24)
    assert (view.start, view.end) == (begin, end) and view.mark is None
    assert view.span == (begin, end)  # without a mark: what is seen


def test_keys_in_a_terminal(tmp_path: Path) -> None:
    path = two_threads(tmp_path / "t.trace")
    ours, theirs = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, "-m", "analysis", "show", str(path)],
        stdin=theirs,
        stdout=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"},
    )
    os.close(theirs)
    seen = b""
    until = time.monotonic() + 60
    for key in (b"wwhm", b"L\x1b[C", b"q"):
        while b"q ends" not in seen and time.monotonic() < until:
            if select.select([ours], [], [], 1)[0]:
                seen += os.read(ours, 65536)
        assert b"q ends" in seen
        seen = b""
        os.write(ours, key)
    assert program.wait(timeout=60) == 0
    os.close(ours)

"""What the page's code reads from the page is what the analysis says, to the nanosecond."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import analysis
from analysis import Trace
from analysis.model import State
from analysis.units import count, duration, share
from plots.timeline.coverage import Intervals, coverage
from plots.web.encoding import varint_lengths, varints
from plots.web.page import page
from tests.analysis.why.code.test_charges import contended
from tests.synthetic import TraceWriter

from ..conftest import Scene
from .support import run


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


def save(trace: Trace, directory: Path, name: str, size: int = 15_000_000) -> str:
    path = directory / f"{name}.html"
    if not path.exists():
        path.write_text(page(trace, size=size), encoding="utf-8")
    return str(path)


def rows(trace: Trace, thread: int) -> Intervals:
    states = trace.states_by_column
    mine = slice(int(states.first[thread]), int(states.first[thread + 1]))
    return Intervals(states.start[mine], states.duration[mine], states.state[mine])


def test_figures_are_written_as_the_analysis_writes_them() -> None:
    numbers = [0, 1, 7, 999, 1_000, 9_994, 9_996, 99_949, 99_960, 999_499, 999_600, 1_000_000, 12_345_678_901]
    words = run("shares.mjs", {"numbers": numbers})["words"]
    assert words == [[duration(n), share(n / 1e6), count(n)] for n in numbers]


def test_varints() -> None:
    numbers = np.array([0, 1, 127, 128, 16_383, 16_384, 2**35, 2**62], np.int64)
    assert varint_lengths(numbers).tolist() == [1, 1, 1, 2, 2, 3, 6, 9]
    assert varints(numbers[2:5]) == bytes([127, 128, 1, 255, 127])


@pytest.mark.parametrize("name", ["four_kinds", "subinterpreters", "processes", "dense"])
def test_every_interval_is_there(scene: Scene, written: Path, name: str) -> None:
    trace = scene(name)
    lanes = range(min(len(trace.threads), 4))
    seen = run("shares.mjs", {"page": save(trace, written, name), "lanes": list(lanes)})
    gils = trace.intervals["gil"]
    several = len(trace.gils) > len(trace.processes)
    for lane, found in zip(lanes, seen["intervals"], strict=True):
        mine = rows(trace, lane)
        start = mine.start - trace.begin
        first = int(trace.states_by_column.first[lane])
        about = gils[first : first + len(mine)] + 1 if several else np.zeros(len(mine), np.int64)
        expected = np.stack([start, start + mine.duration, mine.state], axis=1)
        assert [row[:3] for row in found] == expected.tolist()
        assert [row[4] for row in found] == about.tolist()


def test_shares_of_columns_are_exact_at_any_zoom(scene: Scene, written: Path) -> None:
    trace = scene("dense")
    length = trace.end - trace.begin
    windows = [
        (0, 0, length, 1200),
        (1, length // 3, length // 2, 700),
        (2, length // 2, length // 2 + 40_000, 900),
    ]
    for window in windows:
        lane, start, end, columns = window
        found = run("shares.mjs", {"page": save(trace, written, "dense"), "windows": [window]})["coverage"][0]
        edges = trace.begin + start + (end - start) * np.arange(columns + 1) / columns
        for state in (State.HOLDING, State.WAITING, State.RELEASED):
            whole = np.floor(edges).astype(np.int64)
            before = [coverage(rows(trace, lane), np.array([0, at]), [state])[0, 0] for at in whole[::50]]
            shares = np.array(found[state])
            width = (end - start) / columns
            sums = np.concatenate([[0], np.cumsum(shares * width)])[::50]
            # Never more than half a bin, or a rounding of the figures, from what is true; it does not add up.
            grid = 32 * 3 * 2000
            allowed = grid if width >= grid else columns * width * 1e-4 + 2
            assert np.abs(sums - (np.array(before) - before[0])).max() <= allowed
        assert np.array(found).sum(axis=0)[10:-10] == pytest.approx(1, abs=1e-3)


def test_a_span_says_what_the_analysis_says_of_it(written: Path, tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "blamed") as writer:
        contended(writer.process())
    trace = analysis.load(tmp_path / "blamed")
    length = trace.end - trace.begin
    seen = run("shares.mjs", {"page": save(trace, written, "blamed"), "spans": [[0, length]]})["spans"][0]
    blame = analysis.blame(trace).table
    expected = {(int(b), int(h)): int(time) for b, h, time, _ in blame.tolist() if time}
    assert {(blocked, holder): time for blocked, holder, time in seen["blame"]} == expected
    lines = analysis.code_blame(trace).lines
    charged = sorted(
        tuple(map(int, row)) for row in lines[["waited", "holds", "longest", "threads"]].tolist()
    )
    assert sorted(tuple(line[1:]) for line in seen["lines"]) == charged
    figures = analysis.statistics(trace)
    for thread, times, waits in zip(figures.threads, seen["times"], seen["waits"], strict=True):
        assert times[: len(State)] == [thread.time[state] for state in State]
        assert waits == thread.wait.count


def test_a_part_of_a_span_is_a_part_of_what_it_says(scene: Scene, written: Path) -> None:
    trace = scene("dense")
    length = trace.end - trace.begin
    cuts = [0, length // 7, length // 2, length]
    spans = [*pairwise(cuts), (0, length)]
    seen = run("shares.mjs", {"page": save(trace, written, "dense"), "spans": spans})["spans"]
    for key in ("held", "contended"):
        assert sum(span[key] for span in seen[:-1]) == seen[-1][key]
    total = np.sum([span["times"] for span in seen[:-1]], axis=0)
    assert total.tolist() == seen[-1]["times"]
    assert sum(sum(line[1] for line in span["lines"]) for span in seen[:-1]) == sum(
        line[1] for line in seen[-1]["lines"]
    )


def test_whom_a_wait_was_for(written: Path, scene: Scene) -> None:
    trace = scene("four_kinds")
    wait = trace.waits[int(trace.waits["duration"].argmax())]
    begin, end = int(wait["start"]), int(wait["start"] + wait["duration"])
    told = {"page": save(trace, written, "four_kinds")}
    told["waits"] = [[int(wait["thread"]), begin + int(wait["duration"]) // 2 - trace.begin]]  # type: ignore[assignment]
    found = run("shares.mjs", told)["waits"][0]
    holds = trace.gil_intervals[trace.gil_intervals["state"] == State.HOLDING]
    holds = holds[(holds["start"] < end) & (holds["start"] + holds["duration"] > begin)]
    holds = holds[np.argsort(holds["start"])]
    assert [each["lane"] for each in found] == holds["thread"].tolist()
    assert sum(each["end"] - each["begin"] for each in found) == sum(
        min(end, int(hold["start"] + hold["duration"])) - max(begin, int(hold["start"])) for hold in holds
    )


def test_where_there_is_no_room_boundaries_lie_on_a_grid_and_then_little_is_left_out(scene: Scene) -> None:
    trace = scene("dense")
    full = page(trace)
    small = page(trace, size=700_000)
    tiny = page(trace, size=500_000)
    assert '"step":1,"complete":true' in full
    assert '"step":1,' not in small and '"complete":true' in small
    assert '"complete":false' in tiny
    assert len(tiny) < len(small) < len(full)

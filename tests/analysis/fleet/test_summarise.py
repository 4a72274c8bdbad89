"""Summaries of processes: exact figures, windows that add up, tags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import analysis
from analysis.fleet import schema
from analysis.fleet.summarise import MOST_LINES, OTHER_LINES, summaries
from analysis.fleet.tags import parse_tags
from tests.synthetic import TraceWriter

from .programs import UTC, random_trace, trace

pytest.importorskip("pyarrow")


def test_a_row_says_what_its_process_did(tmp_path: Path) -> None:
    loaded = analysis.load(trace(tmp_path / "t.trace", tags="release=1.4, zone=b"))
    (row,) = summaries(loaded, {"zone": "c"})
    assert (row["host"], row["service"], row["pid"]) == ("a", "app.py", 100)
    assert row["tags"] == [("release", "1.4"), ("zone", "c")]
    assert (row["started_ns"], row["begin_ns"], row["end_ns"]) == (UTC, UTC, UTC + 4000)
    assert (row["threads"], row["acquires"], row["contended_acquires"]) == (2, 3, 2)
    assert (row["held_ns"], row["contended_ns"], row["nobody_ns"]) == (3600, 2500, 0)
    assert [(row[key]["count"], row[key]["total_ns"]) for key in ("wait", "hold")] == [(2, 2500), (3, 3600)]
    assert [(line["function"], line["waited_ns"], line["longest_ns"]) for line in row["lines"]] == [
        ("work", 1500, 1500),
        ("other", 1000, 1000),
    ]
    assert row["lines"][0]["longest_at_ns"] == UTC + 2000


def test_processes_of_a_trace_are_rows_of_their_own(tmp_path: Path) -> None:
    rows = list(summaries(analysis.load(trace(tmp_path / "t.trace", pids=(100, 200))), {}))
    assert [row["pid"] for row in rows] == [100, 200]
    assert [[line["waited_ns"] for line in row["lines"]] for row in rows] == [[1500, 1000]] * 2


def test_service_and_host_can_be_tagged(tmp_path: Path) -> None:
    loaded = analysis.load(trace(tmp_path / "t.trace"))
    (row,) = summaries(loaded, {"service": "shop", "host": "web-1"})
    assert (row["service"], row["host"], row["tags"]) == ("shop", "web-1", [])


@pytest.mark.parametrize("seed", range(4))
def test_one_pass_and_tables_make_the_same_row(tmp_path: Path, seed: int) -> None:
    path = random_trace(tmp_path / "t.trace", seed)
    in_one_pass, in_tables = analysis.load(path), analysis.load(path)
    assert in_one_pass.folded is not None
    vars(in_tables)["folded"] = None
    rows = [schema.table(list(summaries(each, {}))).to_pylist() for each in (in_one_pass, in_tables)]
    for (row,) in rows:
        del row["summarised_ns"]
    assert rows[0] == rows[1]


def _by_function(rows: list[dict[str, Any]], column: str) -> dict[str | None, int]:
    found: dict[str | None, int] = {}
    for each in (each for row in rows for each in row[column]):
        found[each["function"]] = found.get(each["function"], 0) + each["waited_ns"]
    return found


@pytest.mark.parametrize("seed", range(10))
def test_windows_add_up_to_the_whole(tmp_path: Path, seed: int) -> None:
    loaded = analysis.load(random_trace(tmp_path / "t.trace", seed))
    (whole,) = summaries(loaded, {})
    windows = list(summaries(loaded, {}, every=50_000))
    for name in ("held_ns", "contended_ns", "released_ns", "nobody_ns"):
        assert sum(row[name] for row in windows) == whole[name]
    assert sum(row["wait"]["total_ns"] for row in windows) == whole["wait"]["total_ns"]
    assert _by_function(windows, "lines") == _by_function([whole], "lines")
    assert _by_function(windows, "waiting") == _by_function([whole], "waiting")
    assert windows[0]["begin_ns"] == whole["begin_ns"] and windows[-1]["end_ns"] == whole["end_ns"]
    assert {row["started_ns"] for row in windows} == {whole["started_ns"]}
    assert [row["ended"] for row in windows] == ["running"] * (len(windows) - 1) + [whole["ended"]]


def test_lines_beyond_the_most_are_one_row_and_nothing_is_lost(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.trace") as writer:
        process = writer.process(100)
        events: list[tuple[int | str, ...]] = [(1, 0, "recording_start"), (1, 0, "gil_acquired")]
        many = MOST_LINES + 20
        for number in range(1, many + 1):
            process.code(number, 0, f"f{number}", "a.py", number).frame(number, 0, number)
            time = 1000 * number
            events += [(2, time - 500, "gil_wait"), (1, time, "gil_released", 0, number)]
            events += [(2, time, "gil_acquired"), (2, time, "gil_released"), (1, time, "gil_acquired")]
        process.events(events)
        process.stop(1, 1000 * many + 1000)
    (row,) = summaries(analysis.load(tmp_path / "t.trace"), {})
    assert len(row["lines"]) == MOST_LINES + 1
    assert row["lines"][-1]["function"] == OTHER_LINES
    assert row["lines"][-1]["waited_ns"] == 20 * 500
    assert sum(line["waited_ns"] for line in row["lines"]) == row["wait"]["total_ns"] - row["nobody_ns"]


def test_a_table_comes_back_from_its_file(tmp_path: Path) -> None:
    rows = schema.table(list(summaries(analysis.load(trace(tmp_path / "t.trace")), {"release": "1"})))
    schema.write(rows, str(tmp_path / "s.parquet"))
    assert schema.read(str(tmp_path / "s.parquet")).equals(rows)
    assert [path.name for path in tmp_path.glob("*.parquet*")] == ["s.parquet"]


def test_tags_are_names_and_values() -> None:
    assert parse_tags(" release=1.4,, zone = b ") == {"release": "1.4", "zone": "b"}
    with pytest.raises(ValueError, match="'x' is no tag"):
        parse_tags("release=1,x")

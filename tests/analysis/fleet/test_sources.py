"""What is found below a path, and what counts once only."""

from __future__ import annotations

from pathlib import Path

import pytest

import analysis
from analysis.errors import GilscopeError
from analysis.fleet import cluster, fleet, schema, work
from analysis.fleet.sources import How, find, once, rows, several_hosts
from analysis.fleet.summarise import summaries
from analysis.reader.disk.packing import pack

from .programs import UTC, trace

pyarrow = pytest.importorskip("pyarrow")


def summarised(at: Path, to: Path) -> Path:
    schema.write(schema.table(list(summaries(analysis.load(at), {}))), str(to))
    return to


def test_traces_packed_ones_and_summaries_are_found_in_directories(tmp_path: Path) -> None:
    deep = tmp_path / "day" / "host"
    deep.mkdir(parents=True)
    plain = trace(deep / "a.trace")
    with (deep / "b.gilpack").open("wb") as file:
        pack(plain, file)
    summarised(plain, deep / "c.parquet")
    (deep / "notes.txt").write_text("nothing")
    found = {Path(source.path).name: source.is_trace for source in find(str(tmp_path))}
    assert found == {"a.trace": True, "b.gilpack": True, "c.parquet": False}
    assert [source.path for source in find(str(plain))] == [str(plain)]
    assert [len(rows(source, How({}))) for source in find(str(tmp_path))] == [1, 1, 1]


def test_paths_of_fsspec_are_read_where_they_lie(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    summarised(trace(tmp_path / "store" / "a.trace"), tmp_path / "store" / "b.parquet")
    found = find(f"file://{tmp_path}/store")
    assert sorted(source.is_trace for source in found) == [False, True]
    tables = [rows(source, How({})) for source in found]
    assert [table["held_ns"].to_pylist() for table in tables] == [[3600], [3600]]


@pytest.mark.parametrize("name", ["missing", "empty", "notes.txt"])
def test_a_path_with_nothing_in_it_is_a_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(GilscopeError, match=name):
        find(str(tmp_path / name))


def test_no_moment_of_a_process_counts_twice() -> None:
    identities = [
        ("a", 1, 0, 0, 100),
        ("a", 1, 0, 100, 200),
        ("a", 1, 0, 0, 100),  # the same
        ("b", 1, 0, 0, 100),  # of another host
        ("a", 1, 7, 0, 100),  # another process of that id
        ("a", 1, 0, 120, 180),  # within one
        ("a", 1, 0, 150, 250),  # partly
    ]
    same, crossing = once(identities)
    assert same == [2, 5]
    assert crossing == [6]


def test_the_same_trace_twice_counts_once(tmp_path: Path) -> None:
    first = trace(tmp_path / "a.trace")
    again = summarised(first, tmp_path / "a.parquet")
    found = fleet([str(first), str(again), str(again)], by=["service"])
    assert (found.processes, found.waited, found.summaries) == (1, 2500, 1)
    assert "2 summaries are of processes and times that are there already" in " ".join(found.problems)


def test_a_trace_and_its_packed_form_count_once(tmp_path: Path) -> None:
    first = trace(tmp_path / "a.trace")
    with (tmp_path / "a.gilpack").open("wb") as file:
        pack(first, file)
    sources = [*find(str(tmp_path)), *find(f"file://{tmp_path}")]
    made = work.scan(sources, How({}))
    assert [source.is_trace for source in made.sources] == [True] * 4 and not made.problems
    assert all(isinstance(rows_made, bytes) for rows_made in made.made.values())  # a worker keeps thousands
    (once_,), problems = cluster._kept([work.found(made)], [sources], None)
    assert [rows_kept == [] for rows_kept in once_] == [False, True, True, True]
    assert "3 summaries are of processes and times that are there already, counted once" in problems[0]


def test_a_process_under_two_hosts_names_is_a_line() -> None:
    assert not several_hosts([("a", 1, 5, 0, 1), ("b", 1, 6, 0, 1), ("a", 1, 5, 1, 2)])
    (line,) = several_hosts([("a", 1, 5, 0, 1), ("web-1", 1, 5, 0, 1)])
    assert "process 1 is there under several hosts' names, a, web-1" in line


def test_a_bad_source_is_a_line_and_not_the_end(tmp_path: Path) -> None:
    good = summarised(trace(tmp_path / "a.trace"), tmp_path / "a.parquet")
    (tmp_path / "cut.parquet").write_bytes(good.read_bytes()[:100])
    pyarrow.parquet.write_table(pyarrow.table({"x": [1]}), tmp_path / "other.parquet")
    newer = pyarrow.parquet.read_table(good).replace_schema_metadata({schema.KEY: b"2"})
    pyarrow.parquet.write_table(newer, tmp_path / "newer.parquet")
    found = fleet([str(tmp_path / f"{name}.parquet") for name in ("a", "cut", "other", "newer")], by=["host"])
    assert (found.processes, found.waited) == (1, 2500)
    lines = {line.partition(": ")[0].rpartition("/")[2]: line for line in found.problems}
    assert set(lines) == {"cut.parquet", "other.parquet", "newer.parquet"}
    assert "version 2, from a newer gilscope" in lines["newer.parquet"]
    assert "not of summaries" in lines["other.parquet"]


def test_older_summaries_lack_columns_and_are_read(tmp_path: Path) -> None:
    good = summarised(trace(tmp_path / "a.trace"), tmp_path / "a.parquet")
    older = pyarrow.parquet.read_table(good).drop_columns(["lock_wait", "locks", "tags"])
    pyarrow.parquet.write_table(older, tmp_path / "older.parquet")
    (group,) = fleet([str(tmp_path / "older.parquet")], by=["service", "release"]).groups
    assert (group.values, group.waited, group.lock_wait.count) == (("app.py", ""), 2500, 0)


def test_a_file_that_vanishes_is_a_line(tmp_path: Path) -> None:
    good = summarised(trace(tmp_path / "a.trace"), tmp_path / "a.parquet")
    (source,) = find(str(good))
    good.unlink()
    with pytest.raises(GilscopeError, match=r"a\.parquet: there is no such file any more"):
        rows(source, How({}))


def test_clocks_that_are_wrong_are_a_line(tmp_path: Path) -> None:
    hour = 3_600_000_000_000
    for at, host in enumerate("abc"):
        (row,) = summaries(analysis.load(trace(tmp_path / f"{host}.trace", host=host, pids=(100 + at,))), {})
        if host == "c":
            row |= {"begin_ns": UTC + 5 * hour, "end_ns": UTC + 6 * hour, "started_ns": UTC + 5 * hour}
        row["summarised_ns"] = UTC + hour
        schema.write(schema.table([row]), str(tmp_path / f"{at}.parquet"))
    found = fleet([str(tmp_path / f"{at}.parquet") for at in range(3)], by=["host"])
    lines = [line for line in found.problems if line.startswith("host c:")]
    assert len(lines) == len(found.problems) == 2
    assert "5.0 h after all others end" in lines[1] and "up to 5.0 h after the moment" in lines[0]
    assert found.processes == 3  # nothing is lost

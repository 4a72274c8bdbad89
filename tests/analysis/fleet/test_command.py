"""The commands: `summarise` and `fleet`, as people call them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analysis.commands.cli import main
from analysis.fleet import schema
from analysis.live.summaries import Summaries

from .programs import trace

pytest.importorskip("pyarrow")


@pytest.fixture
def summaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GILSCOPE_TAGS", "zone=z")
    for number, release in enumerate(["1", "2"]):
        path = trace(tmp_path / f"{number}.trace", pids=(100 + number,), scale=number + 1)
        assert main(["summarise", str(path), "-o", str(tmp_path / "out"), "--tag", f"release={release}"]) == 0
    return tmp_path / "out"


def test_summaries_are_written_and_ranked(summaries: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(list(summaries.glob("*.parquet"))) == 2
    assert main(["fleet", str(summaries), "--by", "zone,release,line"]) == 0
    shown = capsys.readouterr().out
    assert "2 processes on 1 host" in shown
    lines = [line.split() for line in shown.splitlines() if "app.py" in line or "lib.py" in line]
    assert [(line[0], line[1], line[2], line[4], line[5]) for line in lines] == [
        ("z", "2", "work(),", "3.00", "µs"),
        ("z", "2", "other(),", "2.00", "µs"),
        ("z", "1", "work(),", "1.50", "µs"),
        ("z", "1", "other(),", "1.00", "µs"),
    ]


def test_a_dimension_that_nobody_has(summaries: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fleet", str(summaries), "--by", "nonsense"]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert "--by nonsense: no process has such a tag; ask by host, service, pid" in said.err


def test_nothing_to_summarise_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = trace(tmp_path / "broken.trace", pids=(100,))
    (broken / "100" / "metadata").write_text("none")
    out = tmp_path / "out"
    assert main(["summarise", str(broken), "-o", str(out)]) == 2
    assert f"nothing was summarised: no summary is written to {out}" in capsys.readouterr().err
    assert not out.exists()


def test_json_and_parquet_have_the_same_groups(summaries: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = summaries / ".." / "groups.parquet"
    assert main(["fleet", str(summaries), "--by", "function", "--json", "-o", str(out)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(group["function"], group["waited_ns"]) for group in found["groups"]] == [
        ("work(), app.py", 4500),
        ("other(), lib.py", 3000),
    ]
    assert schema.arrow().parquet.read_table(out).to_pylist() == found["groups"]
    assert sum(minute["waited_ns"] for minute in found["minutes"]) == 7500


def test_releases_side_by_side(summaries: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fleet", str(summaries), "--diff", "release=1,2", "--by", "function", "--json"]) == 0
    changes = {row["values"][0]: row for row in json.loads(capsys.readouterr().out)["diff"]}
    assert changes["work(), app.py"]["before_hosts"] == [1500 * 3_600_000_000_000 / 4000]
    assert changes["work(), app.py"]["beyond_spread"] is False
    assert main(["fleet", str(summaries), "--diff", "release=1,2"]) == 0
    assert "release 1" in capsys.readouterr().out


def test_limits_are_of_each_group(summaries: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["fleet", str(summaries), "--by", "release"]
    assert main([*arguments, "--fail-if", "waited > 1ms"]) == 0
    assert main([*arguments, "--fail-if", "waited > 4us"]) == 1
    assert "2: waited is 5.00 µs; > 4us fails" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--by", ","], "--by: name at least one dimension"),
        (["--by", "line,file"], "--by line,file: one of line, function, file"),
        (["--diff", "release=1"], "--diff release=1: a dimension and two of its values"),
        (["--between", "now", "2026-01-01"], "--between now: a time like"),
        (["--between", "2026-01-02", "2026-01-01"], "nothing lies between"),
        (["--fail-if", "wated > 1s"], "no figure 'wated'; there"),
        (["--fail-if", "thread[x].wait.max > 1s"], "no figure of one thread"),
        (["--tag", "x"], "'x' is no tag"),
        (["--every", "1ns"], "--every 1ns: at least 1ms"),
        (["--between", "2001-01-01", "2001-01-02"], "nothing could be counted"),
    ],
)
def test_what_is_wrong_is_one_line(
    summaries: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    capsys.readouterr()
    assert main(["fleet", str(summaries), *arguments]) == 2
    said = capsys.readouterr()
    assert line in said.err and said.err.count("\n") == 1 and not said.out


def test_a_window_of_time_counts_what_lies_in_it(summaries: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inside = ["--between", "2023-11-14T00:00", "2023-11-15T02:00+02:00"]
    assert main(["fleet", str(summaries), "--json", *inside]) == 0
    assert json.loads(capsys.readouterr().out)["summaries"] == 2


def test_nothing_is_overwritten_without_being_told(
    summaries: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in summaries.iterdir()}
    assert main(["summarise", str(tmp_path / "0.trace"), "-o", str(summaries)]) == 2
    assert "exists already: replace it with --force" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in summaries.iterdir()} == before
    assert main(["summarise", str(tmp_path / "0.trace"), "-o", str(summaries), "--force"]) == 0


def test_one_bad_trace_does_not_keep_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace(tmp_path / "t" / "good.trace")
    (tmp_path / "t" / "bad.trace" / "7").mkdir(parents=True)
    (tmp_path / "t" / "bad.trace" / "7" / "metadata").write_text("no trace")
    assert main(["summarise", str(tmp_path / "t"), "-o", str(tmp_path / "out")]) == 2
    assert "bad.trace" in capsys.readouterr().err
    assert len(list((tmp_path / "out").glob("good-*.parquet"))) == 1


def test_summaries_may_lie_in_any_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("fsspec")
    store = f"memory://{tmp_path.name}"
    for name in ("a", "b"):
        path = trace(tmp_path / f"{name}.trace", pids=(100 + ord(name),), host=name)
        assert main(["summarise", str(path), "-o", store]) == 0
    assert main(["summarise", str(tmp_path / "a.trace"), "-o", store]) == 2
    assert "exists already: replace it with --force" in capsys.readouterr().err
    assert main(["summarise", str(tmp_path / "a.trace"), "-o", store, "--force"]) == 0
    every = Summaries(tmp_path / "b.trace", f"{store}/live", 0, 1000, {"release": "7"})
    every.write(4000)
    assert main(["fleet", store, "--by", "host", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(group["host"], group["waited_ns"]) for group in found["groups"]] == [("a", 2500), ("b", 2500)]
    assert (found["summaries"], len(found["problems"])) == (2, 1) and "counted once" in found["problems"][0]

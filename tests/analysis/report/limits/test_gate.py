"""Limits for figures: what fails, what holds, and what is no limit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import analysis
from analysis.__main__ import main
from analysis.report.limits.gate import FIGURES, LimitError, parse
from tests.analysis.scenes import one_thread, scheduled, two_threads


def failures(path: Path, *limits: str) -> list[str]:
    return [str(failure) for failure in analysis.check(analysis.load(path), limits)]


@pytest.mark.parametrize(
    ("limit", "line"),
    [
        ("wall >= 4us", "wall is 4.00 µs; >= 4us fails"),
        ("wait.count == 2", "wait.count is 2; == 2 fails"),
        ("wait.total>1.6us", "wait.total is 1.65 µs; > 1.6us fails"),
        ("wait.max > 1 us", "wait.max is 1.10 µs; > 1 us fails"),
        ("wait.p50 < 826 ns", "wait.p50 is 825 ns; < 826 ns fails"),
        ("wait.p99 > 0", "wait.p99 is 1.09 µs; > 0 fails"),
        ("contention > 40%", "contention is 41 %; > 40% fails"),
        ("utilisation > .9", "utilisation is 96 %; > .9 fails"),
        ("requested == 50 %", "requested is 50 %; == 50 % fails"),
        ("switches != 1", "switches is 2; != 1 fails"),
        ("hold.max <= 2e3ns", "hold.max is 2.00 µs; <= 2e3ns fails"),
        ("thread[worker].wait.max > 1us", "thread[worker].wait.max is 1.10 µs; > 1us fails"),
        ("thread[work*].timeouts > 0", "thread[worker].timeouts is 1; > 0 fails"),
        ("process[100].wait.share > 20%", "process[100].wait.share is 41 %; > 20% fails"),
    ],
)
def test_fails(tmp_path: Path, limit: str, line: str) -> None:
    assert failures(two_threads(tmp_path / "t"), limit) == [line]


@pytest.mark.parametrize(
    "limit", ["wait.max > 1100 ns", "discarded > 0", "switches > 2", "contention >= 0.4126", "wait.p99 > 2ms"]
)
def test_holds(tmp_path: Path, limit: str) -> None:
    assert failures(two_threads(tmp_path / "t"), limit) == []


def test_each_thread_that_is_named(tmp_path: Path) -> None:
    lines = failures(two_threads(tmp_path / "t"), "thread[*].wait.count > 0", "wall > 1ns")
    assert [line.partition(" ")[0] for line in lines] == [
        "thread[MainThread].wait.count",
        "thread[worker].wait.count",
        "wall",
    ]


def test_no_waits(tmp_path: Path) -> None:
    """The longest of no waits is none, and keeps every limit; how many there were is 0."""
    path = one_thread(tmp_path / "t")
    assert failures(path, "wait.max > 0", "wait.max <= 0", "wait.max != 5ms") == []
    assert failures(path, "wait.count == 0", "wait.total < 1ns") == [
        "wait.count is 0; == 0 fails",
        "wait.total is 0; < 1ns fails",
    ]


def test_stalls(tmp_path: Path) -> None:
    path = scheduled(tmp_path / "t")
    assert failures(path, "thread[worker].stalled.total > 300ns") == [
        "thread[worker].stalled.total is 350 ns; > 300ns fails"
    ]
    with pytest.raises(LimitError, match="the scheduler was not recorded"):
        failures(two_threads(tmp_path / "u"), "stalled.max > 1ms")


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("wait.p98 > 2ms", "no figure 'wait.p98'; there are wait.p9"),
        ("waits > 2ms", "no figure 'waits'"),
        ("xyzzy > 2ms", "there are wall, wait.count"),
        ("wait.p99 > 2", "'2' has no unit: a duration has one of ns, us, µs, ms, s"),
        ("wait.p99 > 2 fortnights", "the unit 'fortnights'"),
        ("wait.p99 > two ms", "is no number with a unit"),
        ("wait.p99 = 2ms", "is no limit"),
        ("wait.p99", "is no limit"),
        ("", "is no limit"),
        ("switches > 2ms", "a count has none"),
        ("contention > 3ms", "a share is written as 30% or 0.3"),
        ("thread[worker].switches > 3", "no figure of a thread"),
    ],
)
def test_no_limit(limit: str, message: str) -> None:
    with pytest.raises(LimitError) as error:
        parse(limit)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_who_is_not_there(tmp_path: Path) -> None:
    """A limit that nothing can break protects nobody."""
    path = two_threads(tmp_path / "t")
    with pytest.raises(LimitError, match="no thread 'wroker' in the trace; there are worker"):
        failures(path, "thread[wroker].wait.max > 1ms")
    with pytest.raises(LimitError, match="no process '7' in the trace; there is 100"):
        failures(path, "process[7].wait.max > 1ms")


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(two_threads(tmp_path / "t"))
    assert main([path, "--fail-if", "wait.max > 5ms", "--fail-if", "switches > 9"]) == 0
    assert capsys.readouterr().err == ""
    assert main([path, "--json", "--fail-if", "wait.max > 1us", "--fail-if", "switches > 1"]) == 1
    output = capsys.readouterr()
    assert json.loads(output.out)["wall_ns"] == 4000
    assert output.err == ("gilscope: wait.max is 1.10 µs; > 1us fails\ngilscope: switches is 2; > 1 fails\n")
    assert main([path, "--fail-if", "wait.maxx > 1us"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("gilscope: no figure 'wait.maxx'")


def test_help_has_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for name, figure in FIGURES.items():
        assert f"  {name} " in text
        assert figure.meaning in text
    assert max(map(len, text.splitlines())) <= 110
